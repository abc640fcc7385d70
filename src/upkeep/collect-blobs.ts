import { errorText } from '../domain/error-text.ts';
import type { Digest } from '../domain/names/digest.ts';
import { unusedBlobsEveryMs } from '../domain/unused-blobs.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { BlobStore, FoundBlob } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Leases } from '../ports/leases.ts';
import { startRecurring } from './recurring-work.ts';
import type { Turn } from './recurring-work.ts';

const blobsPerRead = 128;

export interface CollectionParts {
  readonly metadata: { readonly blobs: Pick<Metadata['blobs'], 'findHeldBlobs'> };
  readonly blobs: Pick<BlobStore, 'list' | 'retire' | 'revive' | 'deleteRetired'>;
  readonly leases: Leases;
  readonly clock: Clock;
  /** One line for the log. */
  readonly note: (message: string, about: Readonly<Record<string, number>>) => void;
  readonly failed: (message: string, about: Readonly<Record<string, string>>) => void;
}

/**
 * Deletes blobs that no repository holds. A blob is held as soon as it is written down, which is after its file is in its place: so what
 * nobody holds is retired first, and deleted by the next run where nobody holds it still. Whoever asks for it meanwhile has it back.
 * Disposing ends it after the blobs that are looked at.
 */
export function startCollection(parts: CollectionParts): AsyncDisposable {
  return startRecurring(parts, {
    name: 'collect blobs',
    everyMs: unusedBlobsEveryMs,
    run: (turn) => collect(parts, turn),
    failed: (error) =>
      parts.failed('unused blobs could not be collected', { error: errorText(error) }),
  });
}

interface Collected {
  blobs: number;
  bytes: number;
}

async function collect(parts: CollectionParts, turn: Turn): Promise<void> {
  const collected: Collected = { blobs: 0, bytes: 0 };
  let some: FoundBlob[] = [];
  for await (const found of parts.blobs.list()) {
    some.push(found);
    if (some.length < blobsPerRead) continue;
    if (!(await turn.mayGoOn())) break;
    await look(parts, some, collected);
    some = [];
  }
  if (await turn.mayGoOn()) await look(parts, some, collected);
  if (collected.blobs > 0)
    parts.note('blobs that no repository holds were deleted', { ...collected });
}

async function look(
  { metadata, blobs }: CollectionParts,
  some: readonly FoundBlob[],
  collected: Collected,
): Promise<void> {
  const held = new Set<Digest>(
    await metadata.blobs.findHeldBlobs([...new Set(some.map(({ digest }) => digest))]),
  );
  for (const { digest, retired } of some) {
    if (!retired) {
      if (!held.has(digest)) await blobs.retire(digest);
    } else if (held.has(digest)) {
      await blobs.revive(digest);
    } else {
      const bytes = await blobs.deleteRetired(digest);
      if (bytes === undefined) continue;
      collected.blobs += 1;
      collected.bytes += bytes;
    }
  }
}
