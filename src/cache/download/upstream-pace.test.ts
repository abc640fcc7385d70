import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { UpstreamPace } from './upstream-pace.ts';

const mebibyte = 1024 * 1024;

/** What came from an upstream: how long it takes to answer, and bytes a millisecond. */
const rows: readonly {
  readonly what: string;
  readonly roundTripsMs: readonly number[];
  readonly bytesPerMs: number;
  readonly piece: number;
}[] = [
  { what: 'nothing is known', roundTripsMs: [], bytesPerMs: 0, piece: 8 * mebibyte },
  { what: 'it is near', roundTripsMs: [1], bytesPerMs: 500_000, piece: 8 * mebibyte },
  { what: 'it is far and slow', roundTripsMs: [200], bytesPerMs: 1000, piece: 8 * mebibyte },
  { what: 'it is far and fast', roundTripsMs: [50], bytesPerMs: 50_000, piece: 20_000_000 },
  {
    what: 'one answer in many was quick',
    roundTripsMs: [900, 50],
    bytesPerMs: 50_000,
    piece: 20_000_000,
  },
  { what: 'it is on the moon', roundTripsMs: [2600], bytesPerMs: 50_000, piece: 64 * mebibyte },
];

suite('how much is asked for at once', () => {
  for (const { what, roundTripsMs, bytesPerMs, piece } of rows) {
    test(`where ${what}, ${piece} bytes`, () => {
      const pace = new UpstreamPace();
      for (const ms of roundTripsMs) pace.answered('up', ms);
      if (bytesPerMs > 0) pace.arrived('up', bytesPerMs * 1000, 1000);
      assert.equal(pace.pieceBytes('up', 8 * mebibyte), piece);
      assert.equal(pace.pieceBytes('other', 8 * mebibyte), 8 * mebibyte);
    });
  }

  test('bodies too short to measure say nothing', () => {
    const pace = new UpstreamPace();
    pace.answered('up', 1000);
    pace.arrived('up', 1000, 0);
    pace.arrived('up', 300 * 1024 * 1024, 1);
    assert.equal(pace.pieceBytes('up', 8 * mebibyte), 8 * mebibyte);
  });
});
