import { turnFor } from '../../coordination/loop-share.ts';

/** A copy of the chunks, of `length` bytes in all, as one array; made in pieces that hold nobody up. */
export async function joined(chunks: readonly Uint8Array[], length: number): Promise<Uint8Array> {
  const whole = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const chunk of chunks) {
    const turn = turnFor(chunk.length);
    if (turn !== undefined) await turn;
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
