import { RegistryError } from '../../domain/errors.ts';
import { MetadataError } from '../../metadata/contract/metadata-error.ts';
import type { Events } from '../../ports/events.ts';
import { isStorageFailure } from './space-gate.ts';

const retryAfterMs = 30_000;

/** What a client is answered when bytes or metadata of a push can't be written, with an event that says why; any other error as it is. */
export function storageAnswer(error: unknown, operation: string, events: Events): unknown {
  const answer = asStorageError(error);
  if (answer !== error && !(error instanceof MetadataError && error.reason === 'busy'))
    events.emit({ type: 'storageFailed', operation, message: String(error) });
  return answer;
}

/** The same of any request, without an event. */
export function asStorageError(error: unknown): unknown {
  if (error instanceof RegistryError) return error;
  // No failure: whoever makes the attempt starts it again, and is told what the other one did.
  if (error instanceof MetadataError && error.reason === 'repeated') return error;
  if (error instanceof MetadataError && error.reason === 'busy')
    return new RegistryError('unavailable', 'too many writes are waiting', {
      retryAfterMs: 1000,
      cause: error,
    });
  if (!isStorageFailure(error) && !(error instanceof MetadataError)) return error;
  return isFull(error) ? storageFull(error) : storageFailed(error);
}

/** Does the work; throws what it throws as `storageAnswer` says it. */
export async function answeringStorage<T>(
  operation: string,
  events: Events,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageAnswer(error, operation, events);
  }
}

/** The volume has no room for what is pushed; it is tried again as soon as there is. */
export function storageFull(cause?: unknown): RegistryError {
  return new RegistryError('storageFull', 'the storage is full', {
    detail: {
      hint:
        cause === undefined
          ? 'free space, or lower cache.minFree'
          : 'make room on the volume of dataDir',
    },
    retryAfterMs,
    ...(cause === undefined ? {} : { cause }),
  });
}

function storageFailed(cause: unknown): RegistryError {
  const code = cause instanceof MetadataError ? cause.message : codeOf(cause);
  return new RegistryError('storageFailed', 'the storage failed', {
    ...(code === undefined ? {} : { detail: { cause: code } }),
    retryAfterMs,
    cause,
  });
}

/** No room by the file system's word, or by the database's of its own files. */
function isFull(error: unknown): boolean {
  if (error instanceof MetadataError && error.reason === 'full') return true;
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  return error instanceof Error && error.cause !== undefined && isFull(error.cause);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
