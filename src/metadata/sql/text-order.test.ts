import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { textBefore, textBeyond } from './text-order.ts';

const ascii = fc.string({ unit: fc.constantFrom('\x01', ' ', '.', '/', 'a', 'b', '~', '\x7f') });
const chosen = fc.string({ unit: fc.constantFrom('\0', '\x01', '.', 'a', '\x7f') });

test('what comes after a text comes after the one that stands for it, and the other way round', () => {
  fc.assert(
    fc.property(ascii, chosen, (text, after) => {
      equal(text > textBefore(after), text > after);
    }),
  );
});

test('between a prefix and what is beyond it lie the texts that begin with it, and no other', () => {
  fc.assert(
    fc.property(ascii, ascii, (text, prefix) => {
      equal(text >= prefix && text < textBeyond(prefix), text.startsWith(prefix));
      equal(prefix < textBeyond(prefix), true);
    }),
  );
});
