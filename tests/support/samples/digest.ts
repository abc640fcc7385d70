import { createHash } from 'node:crypto';
import type { Digest } from '../../../src/domain/names/digest.ts';

/** Of exactly these bytes; of a text's UTF-8. */
export function digestOf(
  bytes: Uint8Array | string,
  algorithm: 'sha256' | 'sha512' = 'sha256',
): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}
