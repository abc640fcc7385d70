import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDigest } from '../../domain/names/digest.ts';
import { formatJournal, parseJournal } from './journal.ts';
import { addSpan } from '../../domain/byte-spans.ts';
import type { ByteSpan } from '../../domain/byte-source.ts';

const digest = parseDigest(`sha256:${'0a'.repeat(32)}`)!;
const good = {
  version: 1,
  digest,
  owner: 'docker.io',
  size: 100,
  spans: [
    [0, 9],
    [20, 99],
  ],
  updatedAt: 1000,
};

test('a journal that was written is read back', () => {
  const span = fc
    .tuple(fc.nat(1e6), fc.nat(1e4))
    .map(([start, more]) => ({ start, end: start + more }));
  fc.assert(
    fc.property(
      fc.string(),
      fc.array(span),
      fc.boolean(),
      fc.nat(),
      (owner, added, sized, updatedAt) => {
        const spans: ByteSpan[] = [];
        for (const one of added) addSpan(spans, one);
        const size = sized ? 2e6 : undefined;
        const journal = { digest, owner, size, spans, updatedAt };
        assert.deepEqual(parseJournal(formatJournal(journal)), journal);
      },
    ),
  );
});

test('no text makes the reader throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => parseJournal(text) === undefined),
  );
});

const bad: Record<string, unknown> = {
  'of another version': { ...good, version: 2 },
  'without a digest': { ...good, digest: undefined },
  'with a malformed digest': { ...good, digest: 'sha256:../../etc' },
  'without an owner': { ...good, owner: 7 },
  'without a time': { ...good, updatedAt: 'now' },
  'with a negative size': { ...good, size: -1 },
  'with a broken size': { ...good, size: 99.5 },
  'whose spans are no list': { ...good, spans: { 0: [0, 1] } },
  'whose span lacks an end': { ...good, spans: [[0]] },
  'whose span ends before it starts': { ...good, spans: [[5, 4]] },
  'whose span starts below 0': { ...good, spans: [[-1, 4]] },
  'whose spans overlap': {
    ...good,
    spans: [
      [0, 9],
      [9, 12],
    ],
  },
  'whose spans touch': {
    ...good,
    spans: [
      [0, 9],
      [10, 12],
    ],
  },
  'whose span exceeds the size': { ...good, spans: [[0, 100]] },
  'that is a list': [good],
  'that is null': null,
};

for (const [what, value] of Object.entries(bad)) {
  test(`a journal ${what} is none`, () => {
    assert.ok(parseJournal(JSON.stringify(good)));
    assert.equal(parseJournal(JSON.stringify(value)), undefined);
  });
}
