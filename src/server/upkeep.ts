import type { ExpiredImage } from '../upkeep/expire-images.ts';
import { startExpiry } from '../upkeep/expire-images.ts';
import { startCallPruning } from '../upkeep/prune-calls.ts';
import { errorText } from '../domain/error-text.ts';
import { startRecurring } from '../upkeep/recurring-work.ts';
import { startCollection } from '../upkeep/collect-blobs.ts';
import { startSecretPurge } from '../upkeep/purge-secrets.ts';
import type { AuditEntry } from '../access/access.ts';
import type { Core, ServerState, Surroundings } from './core.ts';
import type { Stores } from './stores.ts';

/** As the audit names who does it: nobody asked. */
const principal = 'lifecycle policy';

/** Carries out the lifecycle policies of repositories, each image with an entry in the audit. */
export function expireByPolicies(
  state: ServerState,
  { metadata, leases }: Pick<Stores, 'metadata' | 'leases'>,
  { cache, access }: Pick<Core, 'cache' | 'access'>,
  { clock, log }: Pick<Surroundings, 'clock' | 'log'>,
): AsyncDisposable {
  return startExpiry({
    metadata,
    leases,
    clock,
    pushes: cache.pushes,
    grammar: () => state.config.lifecycle,
    expired: (image) => access.audit.record(entryOf(image)),
    note: (message, about) => log.info(message, { logger: 'lifecycle', ...about }),
    failed: (message, about) => log.error(message, { logger: 'lifecycle', ...about }),
  });
}

/** Deletes the blobs that no repository holds any more. */
export function collectUnusedBlobs(
  { metadata, blobs, leases }: Pick<Stores, 'metadata' | 'blobs' | 'leases'>,
  { clock, log }: Pick<Surroundings, 'clock' | 'log'>,
): AsyncDisposable {
  return startCollection({
    metadata,
    blobs,
    leases,
    clock,
    note: (message, about) => log.info(message, { logger: 'storage', ...about }),
    failed: (message, about) => log.error(message, { logger: 'storage', ...about }),
  });
}

/** Removes secrets whose time to be brought back is over. */
export function purgeDeletedSecrets(
  { metadata, leases }: Pick<Stores, 'metadata' | 'leases'>,
  { clock, log }: Pick<Surroundings, 'clock' | 'log'>,
): AsyncDisposable {
  const failed: Parameters<typeof startSecretPurge>[0]['failed'] = (message, about) =>
    log.error(message, { logger: 'secrets', ...about });
  return startSecretPurge({ metadata, leases, clock, failed });
}

/** Removes what was kept for calls to be repeated. */
export function pruneCallRecords(
  { metadata, leases }: Pick<Stores, 'metadata' | 'leases'>,
  { clock, log }: Pick<Surroundings, 'clock' | 'log'>,
): AsyncDisposable {
  const failed: Parameters<typeof startCallPruning>[0]['failed'] = (message, about) =>
    log.error(message, { logger: 'calls', ...about });
  return startCallPruning({ metadata, leases, clock, failed });
}

/** Removes files of keys that nothing needs any more. */
export function retireOldKeys(
  { leases }: Pick<Stores, 'leases'>,
  { keyRotation }: Pick<Core, 'keyRotation'>,
  { clock, log }: Pick<Surroundings, 'clock' | 'log'>,
): AsyncDisposable {
  return startRecurring(
    { clock, leases },
    {
      name: 'retire keys',
      everyMs: 3_600_000,
      run: () => keyRotation.retire(),
      failed: (error) =>
        log.error('old keys could not be looked through', {
          logger: 'keys',
          error: errorText(error),
        }),
    },
  );
}

function entryOf({ registry, repository, digest, tags, priority }: ExpiredImage): AuditEntry {
  return {
    kind: 'change',
    principal,
    action: 'ecr:PolicyExecutionEvent',
    resource: repository,
    registry,
    outcome: 'allowed',
    address: '',
    requestId: '',
    detail: { digest, tags: tags.join(' '), rulePriority: priority },
  };
}
