import { errorText } from '../domain/error-text.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { Clock } from '../ports/clock.ts';
import type { Leases } from '../ports/leases.ts';
import { startRecurring } from './recurring-work.ts';

const everyMs = 24 * 3_600_000;

export interface PurgeParts {
  readonly metadata: { readonly secrets: Pick<Metadata['secrets'], 'purgeSecrets'> };
  readonly leases: Leases;
  readonly clock: Clock;
  /** One line for the log. */
  readonly failed: (message: string, about: Readonly<Record<string, string>>) => void;
}

/** Removes secrets whose time to be brought back is over, with their values, once a day. Nobody finds them before that either. */
export function startSecretPurge(parts: PurgeParts): AsyncDisposable {
  return startRecurring(parts, {
    name: 'purge secrets',
    everyMs,
    run: ({ now }) => parts.metadata.secrets.purgeSecrets({ now: now() }),
    failed: (error) =>
      parts.failed('deleted secrets could not be removed', { error: errorText(error) }),
  });
}
