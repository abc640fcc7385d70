import { setImmediate as turn } from 'node:timers/promises';

/** Copied at once; other requests are served between two copies. */
const copyBytes = 1024 * 1024;

/** The first `length` bytes of the blocks as one array, copied in pieces that hold nobody up. */
export async function joined(blocks: readonly Uint8Array[], length: number): Promise<Uint8Array> {
  const [only] = blocks;
  if (blocks.length <= 1) return only?.subarray(0, length) ?? new Uint8Array(0);
  const whole = Buffer.allocUnsafeSlow(length);
  let at = 0;
  let copied = 0;
  for (const block of blocks) {
    const part = block.subarray(0, length - at);
    if (copied + part.length > copyBytes) {
      await turn();
      copied = 0;
    }
    whole.set(part, at);
    at += part.length;
    copied += part.length;
  }
  return whole;
}
