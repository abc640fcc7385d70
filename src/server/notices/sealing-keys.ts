import type { KeyStore } from '../../access/secrets/key-store.ts';
import { errorText } from '../../domain/error-text.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Log } from '../../telemetry/log.ts';

/** Tells at a start what cannot be opened because its key is not here, and what older keys have still sealed. Never rejects. */
export async function tellSealingKeys(
  { sealed }: Pick<Metadata, 'sealed'>,
  { masters }: Pick<KeyStore, 'masters'>,
  log: Pick<Log, 'info' | 'error' | 'warn'>,
): Promise<void> {
  try {
    const counts = new Map<string, number>();
    for (const { key, count } of await sealed.countSealed())
      counts.set(key, (counts.get(key) ?? 0) + count);
    for (const [key, count] of counts) {
      const about = { logger: 'keys', key, count };
      if (masters.every(({ id }) => id !== key))
        log.error(
          'secrets are sealed by a key that is not here, and cannot be used: bring the key back, or name its source in keys.from',
          about,
        );
      else if (masters[0]?.id !== key)
        log.info(
          'secrets are sealed by an older key: breakwater keys rotate seals them anew',
          about,
        );
    }
  } catch (error) {
    log.warn('what the keys have sealed could not be counted', { error: errorText(error) });
  }
}
