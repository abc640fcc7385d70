import { createHash } from 'node:crypto';
import type { Incoming } from '../../http/reply.ts';

export interface CallBody {
  /** Until the reply is out. */
  readonly chunks: readonly Uint8Array[];
  /** SHA-256, as signatures cover it. */
  readonly sha256: Buffer;
}

/** Reads a call's body whole. Throws `requestTooLarge` beyond `bytesMax`, `tooManyRequests` where calls hold too much memory already. */
export async function readCallBody(request: Incoming, bytesMax: number): Promise<CallBody> {
  const hash = createHash('sha256');
  const chunks = await request.readCall(bytesMax, (chunk) => void hash.update(chunk));
  return { chunks, sha256: hash.digest() };
}
