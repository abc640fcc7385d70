import type { ByteSource } from '../../domain/byte-source.ts';
import type { Holding } from '../../coordination/fair-memory.ts';

/**
 * A reply's body that is whole in memory, as bytes that go out by and by: each read says that its client took what was read before.
 * `encoding` as in `Reply`, `size` in bytes. There are no spans of it.
 */
export function heldBody(
  body: string | Uint8Array,
  encoding: 'latin1' | undefined,
  size: number,
  holding: Holding,
): ByteSource {
  return {
    size,
    open: async () => {
      const take = typeof body === 'string' ? textTaker(body, encoding) : bytesTaker(body);
      return {
        read: async (into) => {
          holding.add(0);
          return take(into);
        },
        [Symbol.asyncDispose]: async () => {},
      };
    },
  };
}

function bytesTaker(body: Uint8Array): (into: Uint8Array) => number {
  let at = 0;
  return (into) => {
    const part = body.subarray(at, at + into.length);
    into.set(part);
    at += part.length;
    return part.length;
  };
}

/** A piece at a time, so that a text is not in memory a second time as bytes. */
function textTaker(text: string, encoding: 'latin1' | undefined): (into: Uint8Array) => number {
  const encoder = new TextEncoder();
  let at = 0;
  return (into) => {
    const piece = text.slice(at, at + into.length);
    if (encoding === 'latin1') {
      const written = Buffer.from(into.buffer, into.byteOffset, into.length).write(piece, 'latin1');
      at += written;
      return written;
    }
    // A character whose two halves the piece parts does not fit any more: each that came before it took a byte at least.
    const { read, written } = encoder.encodeInto(piece, into);
    at += read;
    return written;
  };
}
