import { deepEqual, equal, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { MetadataError } from '../metadata/contract/metadata-error.ts';
import { callsKeptMs } from '../metadata/contract/calls.ts';
import type { CallMetadata } from '../metadata/contract/calls.ts';
import { createRepeatedCalls } from './repeated-calls.ts';
import type { RepeatableCall } from './repeated-calls.ts';

const callOf = (
  invocation: string,
  accessKeyId = 'AKIA',
  principal = accessKeyId,
): RepeatableCall => ({
  accessKeyId,
  principal,
  invocation,
  operation: 'ecr us-east-1 CreateRepository',
  bodySha256: Buffer.alloc(32),
});

function createRig() {
  const clock = createFakeClock();
  const kept = new Map<string, string>();
  const faults: { records: boolean } = { records: false };
  const calls: Pick<CallMetadata, 'findCall' | 'recordAnswers'> = {
    findCall: async (call) => {
      const answer = kept.get(call);
      return answer === undefined ? undefined : { answer, steps: new Map(), found: {} };
    },
    recordAnswers: async (answers) => {
      if (faults.records) throw new Error('the disk is gone');
      for (const { call, answer } of answers) kept.set(call, answer);
    },
  };
  const repeated = createRepeatedCalls({ metadata: { calls }, clock, callsMax: 20 });
  return { clock, kept, faults, repeated };
}

suite('calls that are made again', () => {
  test('are told the first answer, which is written before it is given where nothing else was', async () => {
    const { kept, repeated } = createRig();
    equal(await repeated.answer(callOf('a'), async () => 'first'), 'first');
    deepEqual([...kept.values()], ['"first"']);
    equal(await repeated.answer(callOf('a'), async () => 'second'), 'first');
    equal(await repeated.answer(callOf('b'), async () => 'other'), 'other');
    equal(await repeated.answer(callOf('a', 'other key'), async () => 'third'), 'third');
  });

  test('wait for the attempt that is under way, and are made where that failed', async () => {
    const { repeated } = createRig();
    const first = Promise.withResolvers<string>();
    let made = 0;
    const one = repeated.answer(callOf('a'), () => first.promise);
    const two = repeated.answer(callOf('a'), async () => `${(made += 1)}`);
    await nextTurn();
    equal(made, 0);
    first.reject(new Error('the client left'));
    await rejects(one, /the client left/);
    equal(await two, '1');
  });

  test('begin anew where another process has done a step, and fail where that goes on for ever', async () => {
    const { repeated } = createRig();
    let attempts = 0;
    const raced = async (): Promise<string> => {
      attempts += 1;
      if (attempts < 3) throw new MetadataError('repeated', 'done elsewhere');
      return 'found';
    };
    equal(await repeated.answer(callOf('a'), raced), 'found');
    const ever = async (): Promise<string> => {
      throw new MetadataError('repeated', 'done elsewhere');
    };
    await rejects(repeated.answer(callOf('b'), ever), { reason: 'repeated' });
  });

  test('are not kept beyond 64 Ki characters, nor where they can’t be written, nor beyond so many of a principal, by whichever of its keys, in 15 minutes', async () => {
    const { clock, faults, kept, repeated } = createRig();
    await repeated.answer(callOf('long'), async () => 'x'.repeat(64 * 1024));
    faults.records = true;
    equal(await repeated.answer(callOf('lost'), async () => 'answered'), 'answered');
    faults.records = false;
    equal(kept.size, 0);
    for (let index = 0; index < 20 - 2; index += 1)
      await repeated.answer(callOf(`c${index}`), async () => index);
    await repeated.answer(callOf('beyond'), async () => 1);
    equal(await repeated.answer(callOf('beyond'), async () => 2), 2);
    const bySession = callOf('session', 'ASIA', 'AKIA');
    await repeated.answer(bySession, async () => 1);
    equal(await repeated.answer(bySession, async () => 2), 2);
    equal(await repeated.answer(callOf('another', 'another key'), async () => 1), 1);
    equal(await repeated.answer(callOf('another', 'another key'), async () => 2), 1);
    clock.advance(callsKeptMs);
    await repeated.answer(callOf('later'), async () => 1);
    equal(await repeated.answer(callOf('later'), async () => 2), 1);
    await repeated[Symbol.asyncDispose]();
  });
});
