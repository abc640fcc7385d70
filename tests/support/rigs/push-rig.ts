import { RegistryError } from '../../../src/domain/errors.ts';
import type { ErrorCode } from '../../../src/domain/errors.ts';
import { mediaTypes } from '../../../src/domain/manifests/media-type.ts';
import { parseReference } from '../../../src/domain/names/reference.ts';
import type { Tag } from '../../../src/domain/names/tag.ts';
import type { Digest, DigestAlgorithm } from '../../../src/domain/names/digest.ts';
import type { PutManifestAnswer } from '../../../src/cache/push/pushes.ts';
import type { CacheRig } from './cache-rig.ts';
import { digestOf } from '../samples/digest.ts';

/** A body of these chunks, as a client sends them one after the other. */
export async function* bodyOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    await new Promise((resolve) => setImmediate(resolve));
    yield chunk;
  }
}

/** A body whose client leaves after these chunks. */
export async function* brokenBody(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* bodyOf(...chunks);
  throw new Error('the client left');
}

/** A body that is given its chunks by hand. */
export interface HeldBody extends AsyncIterable<Uint8Array> {
  send(chunk: Uint8Array): void;
  end(): void;
  /** Chunks that were read. */
  readonly read: number;
}

export function heldBody(): HeldBody {
  const sent: (Uint8Array | undefined)[] = [];
  let wake = (): void => {};
  let read = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      while (sent.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const chunk = sent.shift();
      if (chunk === undefined) return;
      read += 1;
      yield chunk;
    }
  }
  return {
    [Symbol.asyncIterator]: chunks,
    send: (chunk) => {
      sent.push(chunk);
      wake();
    },
    end: () => {
      sent.push(undefined);
      wake();
    },
    get read() {
      return read;
    },
  };
}

export async function pushBlob(
  rig: CacheRig,
  name: string,
  bytes: Uint8Array,
  algorithm: DigestAlgorithm = 'sha256',
): Promise<Digest> {
  const digest = digestOf(bytes, algorithm);
  await rig.cache.pushes.putBlob(
    { ...rig.request(name), digest, bytes: bytes.length, body: bodyOf(bytes) },
    rig.signal,
  );
  return digest;
}

export interface PushOptions {
  readonly tags?: readonly string[];
  readonly contentType?: string | undefined;
  readonly algorithm?: DigestAlgorithm;
  /** Whether what the manifest names may be fetched; true where it is left out. */
  readonly mayImport?: boolean;
}

/** Pushes a manifest, an object as its JSON, under a tag or a digest. */
export function pushManifest(
  rig: CacheRig,
  name: string,
  text: string,
  manifest: object | Uint8Array,
  options: PushOptions = {},
): Promise<PutManifestAnswer> {
  const reference = parseReference(text);
  if (reference === undefined) throw new Error(`no reference: ${text}`);
  return rig.cache.pushes.putManifest({
    ...rig.request(name),
    reference,
    tags: (options.tags ?? []) as Tag[],
    bytes: bytesOf(manifest),
    contentType: options.contentType,
    algorithm: options.algorithm ?? 'sha256',
    mayImport: async () => options.mayImport ?? true,
  });
}

export function bytesOf(manifest: object | Uint8Array): Uint8Array {
  if (manifest instanceof Uint8Array) return manifest;
  return new TextEncoder().encode(JSON.stringify(manifest));
}

export function descriptorOf(
  bytes: Uint8Array,
  mediaType = 'application/vnd.oci.image.layer.v1.tar',
): { mediaType: string; digest: Digest; size: number } {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** An image of one layer; its config is the empty object. */
export function imageOf(layer: Uint8Array, more: object = {}): object {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptorOf(emptyJson, 'application/vnd.oci.empty.v1+json'),
    layers: [descriptorOf(layer)],
    ...more,
  };
}

export function indexOf(children: readonly object[], more: object = {}): object {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: children.map((child) => descriptorOf(bytesOf(child), mediaTypes.ociManifest)),
    ...more,
  };
}

export const emptyJson: Uint8Array = new TextEncoder().encode('{}');

/** Pushes config, layer and manifest; the manifest's digest. */
export async function pushImage(
  rig: CacheRig,
  name: string,
  tag: string,
  layer: Uint8Array,
): Promise<Digest> {
  await pushBlob(rig, name, emptyJson);
  await pushBlob(rig, name, layer);
  return (await pushManifest(rig, name, tag, imageOf(layer))).digest;
}

/** The error that the work must end with. */
export async function refused(work: Promise<unknown>, code: ErrorCode): Promise<RegistryError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RegistryError && error.code === code) return error;
  throw new Error(`expected ${code}, not ${String(error)}`, { cause: error });
}
