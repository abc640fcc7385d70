import type { Sealing } from '../access/secrets/key-store.ts';
import { openRuleBook, type RuleBook } from '../cache/rules/rule-book.ts';
import { accountInSecret } from '../config/account-in-secret.ts';
import type { Config } from '../config/config.ts';
import { errorText } from '../domain/error-text.ts';
import { homeRegistryOf } from '../domain/names/registry.ts';
import type { Clock } from '../ports/clock.ts';
import { createStoredSecrets } from '../operations/secrets/stored-secrets.ts';
import type { SecretValues } from '../ports/secret-values.ts';
import { createFileSecrets } from './file-secrets.ts';
import type { Log } from '../telemetry/log.ts';
import type { Stores } from './stores.ts';

/** The rules of every registry of this server, and the secrets that they name. */
export interface ServerRules extends Disposable {
  readonly book: RuleBook;
  readonly secrets: SecretValues;
}

export interface ServerRulesParts extends Pick<Stores, 'metadata' | 'invalidations'> {
  readonly sealing: Sealing;
  readonly clock: Clock;
  readonly log: Log;
  /** Other rules are in force than before. */
  readonly onChange: () => void;
}

export async function openServerRules(
  config: () => Config,
  { metadata, invalidations, sealing, clock, log, onChange }: ServerRulesParts,
): Promise<ServerRules> {
  const home = homeRegistryOf(config());
  const inFile = createFileSecrets({ home, secrets: () => config().secrets });
  const stored = createStoredSecrets({ metadata, sealing, clock, registries: config });
  const secrets: SecretValues = {
    find: async (registry, arn) => {
      const found = await inFile.find(registry, arn);
      return found.kind === 'notFound' ? stored.find(registry, arn) : found;
    },
  };
  const book = await openRuleBook({
    metadata,
    invalidations,
    clock,
    home,
    configured: () => config().rules,
    upstreams: () => config().apiUpstreams,
    secrets,
    accountInSecret,
    onChange,
    onFailure: (error) =>
      log.error('rules could not be read', { logger: 'rules', error: errorText(error) }),
  });
  return { book, secrets, [Symbol.dispose]: () => book[Symbol.dispose]() };
}
