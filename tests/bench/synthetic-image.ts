import { createCipheriv, createHash } from 'node:crypto';

/** A blob that nobody stores: its bytes follow from seed and offset, so that any range of it can be made in place. */
export interface SyntheticBlob {
  readonly seed: string;
  /** Bytes. */
  readonly size: number;
  readonly digest: string;
}

export interface SyntheticImage {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly manifest: Buffer;
  readonly config: SyntheticBlob;
  readonly layers: readonly SyntheticBlob[];
}

/** Every block begins with a stamp of seed and position: bytes of the wrong blob or the wrong place never hash right. */
const blockBytes = 64 * 1024;
const stampBytes = 32;

/** What one filler makes at a time; a multiple of the block. */
export const chunkBytes: number = 256 * 1024;

const noise: Buffer = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(
  Buffer.alloc(chunkBytes),
);

export interface Filler {
  /** Bytes from `offset` on, at most up to the chunk's end; valid until the next call. */
  at(offset: number, length: number): Buffer;
}

/** A filler owns one chunk and stamps it anew for each position, which costs next to nothing a byte. */
export function createFiller(seed: string): Filler {
  const chunk = Buffer.from(noise);
  const stamp = createHash('sha256').update(seed).digest().subarray(0, stampBytes);
  let filledFrom = -1;
  return {
    at(offset, length) {
      const from = offset - (offset % chunkBytes);
      if (from !== filledFrom) {
        for (let block = 0; block < chunkBytes; block += blockBytes) {
          stamp.copy(chunk, block);
          chunk.writeDoubleBE((from + block) / blockBytes, block);
        }
        filledFrom = from;
      }
      const start = offset - from;
      return chunk.subarray(start, Math.min(chunkBytes, start + length));
    },
  };
}

const digests = new Map<string, string>();

export function syntheticBlob(seed: string, size: number): SyntheticBlob {
  const key = `${size} ${seed}`;
  let digest = digests.get(key);
  if (digest === undefined) {
    const hash = createHash('sha256');
    const filler = createFiller(seed);
    for (let offset = 0; offset < size;) {
      const bytes = filler.at(offset, size - offset);
      hash.update(bytes);
      offset += bytes.length;
    }
    digest = `sha256:${hash.digest('hex')}`;
    digests.set(key, digest);
  }
  return { seed, size, digest };
}

/** The blob's bytes, or those of a range of it, in chunks of their own. */
export function* blobStream(
  blob: SyntheticBlob,
  start: number = 0,
  end: number = blob.size,
): Generator<Buffer> {
  const filler = createFiller(blob.seed);
  for (let offset = start; offset < end;) {
    const bytes = Buffer.from(filler.at(offset, end - offset));
    offset += bytes.length;
    yield bytes;
  }
}

/** An OCI image manifest over synthetic blobs. The config is a blob like the others: nobody here reads it. */
export function syntheticImage(
  repository: string,
  tag: string,
  layers: readonly SyntheticBlob[],
): SyntheticImage {
  const config = syntheticBlob(`config of ${repository}:${tag}`, 1024);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) =>
        descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer),
      ),
      annotations: { 'org.example.tag': tag },
    }),
  );
  const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
  return { repository, tag, digest, mediaType, manifest, config, layers };
}

function descriptor(mediaType: string, blob: SyntheticBlob): object {
  return { mediaType, digest: blob.digest, size: blob.size };
}
