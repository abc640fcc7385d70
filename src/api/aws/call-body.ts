import { createHash } from 'node:crypto';
import type { Incoming } from '../../http/reply.ts';

export interface CallBody {
  readonly bytes: Uint8Array;
  /** SHA-256, as signatures cover it. */
  readonly sha256: Buffer;
}

/** Reads a call's body whole. Throws `requestTooLarge` beyond `bytesMax`, `tooManyRequests` where calls hold too much memory already. */
export async function readCallBody(request: Incoming, bytesMax: number): Promise<CallBody> {
  const hash = createHash('sha256');
  const bytes = await request.readBody(bytesMax, {
    inCalls: true,
    onChunk: (chunk) => void hash.update(chunk),
  });
  return { bytes, sha256: hash.digest() };
}
