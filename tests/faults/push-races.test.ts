// Several clients on one upload at once, some of which leave in the middle: some order of their requests explains every answer.
import { equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { freshRepository, clientOfFile } from '../support/clients/registry-client.ts';
import { modelLimits } from '../support/models/model-limits.ts';
import { anyMove, createPushRace } from '../support/models/push-race.ts';
import type { PushRace } from '../support/models/push-race.ts';
import { isExplained } from '../support/models/upload-history.ts';
import { digestOf } from '../support/samples/digest.ts';

const client = await clientOfFile();

const limits = modelLimits(3);
const clients = 3;
const salts = 16;
const fewRuns = 50;

/** Of the requests that ended the upload one was answered, and its blob alone is there, here and where it was mounted. */
async function assertStored(
  { calls, digests }: PushRace,
  repositories: readonly string[],
): Promise<void> {
  const won = calls.flatMap(({ asked, told }) =>
    asked.kind === 'finish' && told?.status === 201 ? asked.digest : [],
  );
  ok(won.length <= 1, `${String(won.length)} requests finished the upload`);
  for (const digest of digests) {
    for (const repository of repositories) {
      const answer = await client.ask('GET', `/v2/${repository}/blobs/${digest}`);
      equal(answer.status, won.includes(digest) ? 200 : 404, answer.text);
      if (answer.status === 200) equal(digestOf(answer.bytes), digest);
    }
  }
}

suite(`races for one upload (BREAKWATER_MODEL_SEED=${String(limits.seed)})`, () => {
  test('some order explains what three clients were told, and one of them at most finished it', async (t) => {
    const moves = fc.array(anyMove, { minLength: 1, maxLength: 7, size: 'max' });
    const each = fc.tuple(...Array.from({ length: clients }, () => moves));
    let finished = 0;
    const property = fc.asyncProperty(each, fc.nat({ max: salts }), async (drawn, salt) => {
      const [repository, other] = [freshRepository(), freshRepository()];
      const race = await createPushRace(client, { repository, other, salt });
      await Promise.all(drawn.map((some) => race.run(some)));
      await race.end();
      const { calls } = race;
      ok(isExplained(salt, calls), `no order explains:\n${shown(calls)}`);
      await assertStored(race, [repository, other]);
      finished += calls.filter(
        ({ asked, told }) => asked.kind === 'finish' && told?.status === 201,
      ).length;
    });
    await fc.assert(property, limits);
    t.diagnostic(`${String(finished)} uploads were finished`);
    ok(finished > 0 || limits.numRuns < fewRuns, 'some races end with a blob');
  });
});

function shown(calls: PushRace['calls']): string {
  const inOrder = calls.toSorted((one, another) => one.began - another.began);
  return inOrder.map((call) => JSON.stringify(call)).join('\n');
}
