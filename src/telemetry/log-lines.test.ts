import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { LogLines, pieceBytes } from './log-lines.ts';

function taken(lines: LogLines): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = lines.take(); piece !== undefined; piece = lines.take()) pieces.push(piece);
  return pieces;
}

suite('lines that wait', () => {
  test('whatever is added comes out in its order, byte for byte, also where some is taken between', () => {
    const text = fc.tuple(
      fc.string({ unit: fc.constantFrom('x', 'é', '\u20ac', '\ud83d\ude00', '\n') }),
      fc.constantFrom(1, 1, 1, 700, 9000),
      fc.boolean(),
    );
    fc.assert(
      fc.property(fc.array(text, { maxLength: 40 }), (adds) => {
        const lines = new LogLines();
        const out: Uint8Array[] = [];
        let added = '';
        for (const [part, times, takes] of adds) {
          lines.add(part.repeat(times));
          added += part.repeat(times);
          const first = takes ? lines.take() : undefined;
          if (first !== undefined) out.push(first);
          equal(Buffer.concat(out).length + lines.bytes, Buffer.byteLength(added));
        }
        out.push(...taken(lines));
        equal(Buffer.concat(out).toString(), added);
        equal(lines.bytes, 0);
      }),
    );
  });

  test('a piece is full at 64 KiB, and what was taken is not written over', () => {
    const lines = new LogLines();
    const line = `${'x'.repeat(999)}\n`;
    for (let index = 0; index < 66; index += 1) lines.add(line);
    const first = lines.take();
    for (let index = 0; index < 66; index += 1) lines.add('y'.repeat(1000));
    deepEqual([first?.length, taken(lines).length], [66_000, 1]);
    ok((first?.length ?? 0) >= pieceBytes && first?.every((byte) => byte !== 121));
  });

  test('nothing is taken of nothing', () => {
    equal(new LogLines().take(), undefined);
  });
});
