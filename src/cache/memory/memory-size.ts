import type { MemoryBound } from '../../coordination/memory-bound.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import type { UpstreamFailure } from '../../domain/upstream-failure.ts';

/** Of a string or an object beside its text; measured on V8 with entries of an LRU of a hundred thousand. */
const objectBytes = 64;
/** Text is one byte a unit where it is ASCII, as names are; two at most. */
const textBytes = (text: string | undefined): number => 32 + 2 * (text?.length ?? 0);
/** An error's stack, as V8 keeps it. */
const failureBytes = 3072;

/** What a remembered list of descriptors takes, in bytes, rather too much than too little. */
export function sizeOfDescriptors(descriptors: readonly Descriptor[]): number {
  let bytes = objectBytes;
  for (const { mediaType, digest, artifactType, annotations = {} } of descriptors) {
    bytes += 2 * objectBytes + textBytes(mediaType) + textBytes(digest) + textBytes(artifactType);
    for (const name in annotations)
      bytes += objectBytes + textBytes(name) + textBytes(annotations[name]);
  }
  return bytes;
}

/** What a list of names takes, in bytes. */
export function sizeOfNames(names: readonly string[]): number {
  return names.reduce((bytes, name) => bytes + textBytes(name), objectBytes);
}

/** What an entry takes beside its value's own bytes: its key, and its place in the memory. */
export function sizeOfKey(key: string): number {
  return 4 * objectBytes + textBytes(key);
}

/** The bound of a memory of failures. */
export function failureBound(bytesMax: number): MemoryBound<UpstreamFailure> {
  return {
    bytesMax,
    bytesOf: ({ message }, key) => sizeOfKey(key) + failureBytes + textBytes(message),
  };
}
