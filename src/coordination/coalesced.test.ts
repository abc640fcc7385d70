import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCoalesced } from './coalesced.ts';

interface Runs {
  readonly shared: () => Promise<void>;
  readonly runs: PromiseWithResolvers<void>[];
}

function createRuns(): Runs {
  const runs: PromiseWithResolvers<void>[] = [];
  const shared = createCoalesced(() => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  });
  return { shared, runs };
}

async function turnsOfTheLoop(): Promise<void> {
  for (let i = 0; i < 3; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('those who ask at once share one run', async () => {
  const { shared, runs } = createRuns();
  const asked = [shared(), shared(), shared()];
  await turnsOfTheLoop();
  assert.equal(runs.length, 1);
  runs[0]!.resolve();
  await Promise.all(asked);
});

test('who asks while it runs is answered by a run that began later', async () => {
  const { shared, runs } = createRuns();
  const first = shared();
  await turnsOfTheLoop();
  let answered = false;
  const late = [shared(), shared()].map((asked) => asked.then(() => (answered = true)));
  runs[0]!.resolve();
  await first;
  await turnsOfTheLoop();
  assert.equal(runs.length, 2);
  assert.equal(answered, false);
  runs[1]!.resolve();
  await Promise.all(late);
  assert.equal(runs.length, 2);
});

test('a failed run fails those who shared it, and no other', async () => {
  const { shared, runs } = createRuns();
  const failing = assert.rejects(shared(), /no disk/);
  await turnsOfTheLoop();
  const next = shared();
  runs[0]!.reject(new Error('no disk'));
  await failing;
  await turnsOfTheLoop();
  runs[1]!.resolve();
  await next;
});
