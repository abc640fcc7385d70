import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { turnFor } from './loop-share.ts';

const kibibyte = 1024;

suite('a share of the event loop', () => {
  test('256 KiB go in one turn, whoever has them; what is beyond waits for the next one', async () => {
    await nextTurn();
    equal(turnFor(200 * kibibyte), undefined);
    equal(turnFor(56 * kibibyte), undefined);
    const waits = turnFor(64 * kibibyte);
    notEqual(waits, undefined);
    await waits;
    equal(turnFor(64 * kibibyte), undefined);
    await nextTurn();
  });

  test('who waits goes in the order of asking, so many in a turn as fit, and nobody before them', async () => {
    await nextTurn();
    void turnFor(256 * kibibyte);
    const begun: string[] = [];
    const inTurn: number[] = [];
    let turn = 0;
    const count = (): void => {
      turn += 1;
      if (begun.length < 6) setImmediate(count);
    };
    setImmediate(count);
    const ask = async (name: string): Promise<void> => {
      await turnFor(128 * kibibyte);
      begun.push(name);
      inTurn[turn] = (inTurn[turn] ?? 0) + 1;
    };
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(ask));
    deepEqual(begun, ['a', 'b', 'c', 'd', 'e', 'f']);
    deepEqual(Object.values(inTurn), [2, 2, 2]);
    await nextTurn();
  });

  test('8 KiB and less never wait', async () => {
    await nextTurn();
    void turnFor(256 * kibibyte);
    equal(turnFor(8 * kibibyte), undefined);
    await nextTurn();
  });
});
