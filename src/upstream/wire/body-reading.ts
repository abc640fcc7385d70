import { unusable } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import { deadlinesMs } from './deadlines.ts';
import type { Answer } from './exchange.ts';
import { headerOf } from './exchange.ts';

/** Error bodies are read this far, in bytes. */
const errorBytesMax = 65_536;

/**
 * The whole body, `bytesMax` at most: more is `tooLarge`, and the connection is ended before it is taken in. `taken` is called with
 * the bytes of each piece; what it throws ends the reading.
 */
export async function readWhole(
  answer: Answer,
  bytesMax: number,
  upstream: string,
  taken?: (bytes: number) => void,
): Promise<Uint8Array> {
  const announced = contentLengthOf(answer);
  try {
    if (announced !== undefined && announced > bytesMax) throw tooLarge(bytesMax, upstream);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for (
      let chunk = await answer.body.read();
      chunk !== undefined;
      chunk = await answer.body.read()
    ) {
      bytes += chunk.length;
      taken?.(chunk.length);
      if (bytes > bytesMax) throw tooLarge(bytesMax, upstream);
      chunks.push(chunk);
    }
    if (announced !== undefined && announced !== bytes) {
      throw unusable(
        `${bytes} bytes came where ${announced} were announced`,
        'wrongLength',
        upstream,
      );
    }
    return Buffer.concat(chunks, bytes);
  } finally {
    answer.body.destroy();
  }
}

/** The front of a body for a message: 64 KiB and 5 s at most; what breaks ends it. */
export async function readFront(answer: Answer, clock: Clock): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  using _timer = clock.after(deadlinesMs.errorBody, () => answer.body.destroy());
  try {
    while (bytes < errorBytesMax) {
      const chunk = await answer.body.read();
      if (chunk === undefined) break;
      chunks.push(chunk);
      bytes += chunk.length;
    }
  } catch {
    return '';
  } finally {
    answer.body.destroy();
  }
  return Buffer.concat(chunks).subarray(0, errorBytesMax).toString('utf8');
}

/** Lets a body that nobody needs pass, so that its connection can be used again; a long or slow one is cut. */
export function discard(answer: Answer, clock: Clock): void {
  void readFront(answer, clock);
}

/** `undefined` where it is absent or no plain number. */
export function contentLengthOf(answer: Answer): number | undefined {
  const text = headerOf(answer, 'content-length');
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const bytes = Number(text);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function tooLarge(bytesMax: number, upstream: string): Error {
  return unusable(`the body is larger than ${bytesMax} bytes`, 'tooLarge', upstream);
}
