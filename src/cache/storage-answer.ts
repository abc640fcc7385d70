import { RegistryError } from '../domain/errors.ts';
import { MetadataError } from '../metadata/metadata-error.ts';
import type { Events } from '../ports/events.ts';
import { isStorageFailure } from './space-gate.ts';

const retryAfterMs = 30_000;

/** What a client is told when bytes or metadata of a push can't be written; anything else as it is. Tells the operator why. */
export function storageAnswer(error: unknown, operation: string, events: Events): unknown {
  if (error instanceof RegistryError) return error;
  if (error instanceof MetadataError && error.reason === 'busy')
    return new RegistryError('unavailable', 'too many writes are waiting', {
      retryAfterMs: 1000,
      cause: error,
    });
  if (!isStorageFailure(error) && !(error instanceof MetadataError)) return error;
  events.emit({ type: 'storageFailed', operation, message: String(error) });
  return isFull(error) ? storageFull(error) : storageFailed(error);
}

/** The volume has no room for what is pushed; it is tried again as soon as there is. */
export function storageFull(cause?: unknown): RegistryError {
  return new RegistryError('storageFull', 'the storage is full', {
    detail: { hint: 'free space, or lower cache.minFree' },
    retryAfterMs,
    ...(cause === undefined ? {} : { cause }),
  });
}

function storageFailed(cause: unknown): RegistryError {
  const code = codeOf(cause);
  return new RegistryError('storageFailed', 'the storage failed', {
    ...(code === undefined ? {} : { detail: { cause: code } }),
    retryAfterMs,
    cause,
  });
}

/** No room by the file system's word, or by SQLite's or PostgreSQL's of its own files. */
function isFull(error: unknown): boolean {
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === '53100') return true;
  if (!(error instanceof Error)) return false;
  if ('errcode' in error && error.errcode === sqliteFull) return true;
  return error.cause !== undefined && isFull(error.cause);
}

const sqliteFull = 13;

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
