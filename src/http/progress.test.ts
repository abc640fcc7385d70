import { equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Progress, progressLimits } from './progress.ts';

const limits = progressLimits;
const kib = 1024;

suite('progress', () => {
  test('a write that stands for 60 s is too slow', () => {
    const progress = new Progress();
    progress.begin(1000);
    equal(progress.tooSlow(60_999, limits), false);
    equal(progress.tooSlow(61_000, limits), true);
  });

  test('16 KiB/s is enough, less is not', () => {
    for (const rate of [15 * kib, 16 * kib]) {
      const progress = new Progress();
      for (let second = 0; second < 60; second++) {
        progress.begin(second * 1000);
        progress.end((second + 1) * 1000, rate);
      }
      progress.begin(60_000);
      equal(progress.tooSlow(60_000, limits), rate < 16 * kib);
    }
  });

  test('time without anything to move does not count', () => {
    const progress = new Progress();
    progress.begin(0);
    progress.end(10, 100);
    equal(progress.tooSlow(3_600_000, limits), false);
    progress.begin(3_600_000);
    equal(progress.tooSlow(3_659_000, limits), false);
    equal(progress.tooSlow(3_660_000, limits), true);
  });

  test('a good window does not carry a later standstill', () => {
    const progress = new Progress();
    progress.begin(0);
    progress.end(60_000, 100 * 1024 * kib);
    progress.begin(60_000);
    equal(progress.tooSlow(60_001, limits), false);
    equal(progress.tooSlow(120_000, limits), false);
    equal(progress.tooSlow(120_001, limits), true);
  });
});
