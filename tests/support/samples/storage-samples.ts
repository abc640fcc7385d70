import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ByteReader } from '../../../src/domain/byte-source.ts';
import { parseDigest } from '../../../src/domain/names/digest.ts';
import type { Digest, DigestAlgorithm } from '../../../src/domain/names/digest.ts';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import type { Event, Events } from '../../../src/ports/events.ts';
import type { Spool } from '../../../src/ports/spool.ts';

export interface Sample {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

/** The same bytes for the same seed, no block like another. */
export function sample(size: number, seed = 1, algorithm: DigestAlgorithm = 'sha256'): Sample {
  const bytes = new Uint8Array(size);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < size; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  const hex = createHash(algorithm).update(bytes).digest('hex');
  return { bytes, digest: parseDigest(`${algorithm}:${hex}`)! };
}

export interface RecordedEvents extends Events {
  readonly all: Event[];
}

export function recordEvents(): RecordedEvents {
  const all: Event[] = [];
  return { all, emit: (event) => void all.push(event) };
}

export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'breakwater-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Spools, verifies, seals and adopts the sample, as a download does. */
export async function store(
  storage: { readonly blobs: BlobStore; readonly spool: Spool },
  { bytes, digest }: Sample,
  owner = 'test',
): Promise<void> {
  await using file = await storage.spool.open(owner, digest);
  await file.expect(bytes.byteLength);
  await file.write(0, [bytes]);
  if (!(await file.verify())) throw new Error(`The sample is not ${digest}`);
  await storage.blobs.adopt(await file.seal(digest));
}

/** All bytes of the reader, which is disposed; `step` bytes a read. */
export async function drain(reader: ByteReader, step = 4096): Promise<Uint8Array> {
  await using owned = reader;
  const parts: Uint8Array[] = [];
  for (;;) {
    const into = new Uint8Array(step);
    const count = await owned.read(into);
    if (count === 0) return new Uint8Array(Buffer.concat(parts));
    parts.push(into.subarray(0, count));
  }
}

/** The blob's bytes; `undefined` when it is not there. */
export async function blobBytes(blobs: BlobStore, digest: Digest): Promise<Uint8Array | undefined> {
  const reader = await blobs.open(digest, undefined);
  return reader && drain(reader);
}

/** Every blob, in the store's order. */
export async function listed(blobs: BlobStore): Promise<Digest[]> {
  const digests: Digest[] = [];
  for await (const { digest } of blobs.list()) digests.push(digest);
  return digests;
}
