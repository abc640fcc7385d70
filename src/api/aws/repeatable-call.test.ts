import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { metadataState } from '../../../tests/support/rigs/metadata-state.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { askCall, changingCalls } from '../../../tests/support/samples/changing-calls.ts';
import type { ChangingCall } from '../../../tests/support/samples/changing-calls.ts';
import { callsKeptMs } from '../../metadata/contract/calls.ts';
import { answersSecret } from './repeatable-call.ts';

const invocation = { 'amz-sdk-invocation-id': '8c0ff6a1-3d43-4c0b-9d8b-5e1f6a1c2b3d' };

/** What cannot be made again by the metadata alone: tests/real drives these; or what is always refused. */
const elsewhere: Readonly<Record<string, string>> = {
  PutImage: 'bytes',
  InitiateLayerUpload: 'bytes',
  UploadLayerPart: 'bytes',
  CompleteLayerUpload: 'bytes',
  StartImageScan: 'refused',
  UpdateImageStorageClass: 'refused',
  StartReplicationBackfill: 'refused',
  StopReplicationBackfill: 'refused',
};

/** Without the id of the request; a preview that has ended meanwhile says so. */
function said({ status, text }: AwsAnswer): string {
  const same = text.replace(/<RequestId>.*<\/RequestId>/, '').replace('IN_PROGRESS', 'COMPLETE');
  return `${status} ${same}`;
}

async function prepared(
  aws: AwsRig,
  { service, before = [], input }: ChangingCall,
): Promise<object> {
  for (const [operation, made] of before) {
    const { status, text } = await askCall(aws, service, operation, made);
    assert.equal(status, 200, `${operation}: ${text}`);
  }
  return typeof input === 'function' ? await input(aws) : input;
}

suite('a call that its client makes again', () => {
  test('is tried of every operation that changes something', async () => {
    await using aws = await openAws();
    const tried = new Set(changingCalls.map(({ service, operation }) => `${service} ${operation}`));
    const missing: string[] = [];
    for (const { name, rows, model } of aws.services)
      for (const [operation, { changes }] of rows) {
        if (!changes || answersSecret(await model(), operation)) continue;
        if (name === 'ecr' && elsewhere[operation] !== undefined) continue;
        if (!tried.has(`${name} ${operation}`)) missing.push(`${name} ${operation}`);
      }
    assert.deepEqual(missing, [], 'without a row in tests/support/samples/changing-calls.ts');
  });

  for (const call of changingCalls)
    test(`${call.service} ${call.operation} is answered the same and done once, though the server ended before it kept the answer`, async () => {
      await using aws = await openAws({ configured: [], losesAnswers: true });
      const input = await prepared(aws, call);
      const { first, state } = await asked(aws, call, input);
      aws.api.clock.advance(60_000);
      await nextTurn();
      const again = await asked(aws, call, input);
      assert.equal(again.first, first);
      assert.deepEqual(again.state, state);
    });

  const create = { service: 'ecr', operation: 'CreateRepository' } as const;
  const input = { repositoryName: 'team/app' };
  const wasThere = /RepositoryAlreadyExistsException/;

  test('gets the answer that was kept, whatever has become of it since, for 15 minutes', async () => {
    await using aws = await openAws();
    const { first } = await asked(aws, { ...create, input }, input);
    aws.api.clock.advance(60_000);
    assert.equal((await aws.ecr('DeleteRepository', input)).status, 200);
    const kept = await until(async () => {
      const answer = await askCall(aws, 'ecr', create.operation, input, invocation);
      return answer.status === 200 && answer;
    });
    assert.equal(said(kept), first);
    assert.equal((await aws.ecr('DescribeRepositories')).json.repositories.length, 0);
    aws.api.clock.advance(callsKeptMs);
    const anew = await askCall(aws, 'ecr', create.operation, input, invocation);
    assert.notEqual(said(anew), first);
    assert.equal((await aws.ecr('DescribeRepositories')).json.repositories.length, 1);
  });

  test('at once with the first attempt does it once', async () => {
    await using aws = await openAws();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => askCall(aws, 'ecr', create.operation, input, invocation)),
    );
    assert.deepEqual(new Set(answers.map(said)), new Set([said(answers[0] ?? assert.fail())]));
    assert.equal(answers[0]?.status, 200);
    const made = aws.api.audited.filter(({ action }) => action === 'ecr:CreateRepository');
    assert.equal(made.length, 1);
  });

  for (const [what, headers, other] of [
    ['another invocation', { 'amz-sdk-invocation-id': 'another' }, input],
    ['no invocation', {}, input],
    ['an invocation that is none', { 'amz-sdk-invocation-id': ' ' }, input],
    ['another body', invocation, { ...input, tags: [] }],
  ] as const)
    test(`is another call with ${what}`, async () => {
      await using aws = await openAws();
      await asked(aws, { ...create, input }, input);
      assert.match((await askCall(aws, 'ecr', create.operation, other, headers)).text, wasThere);
    });

  test('is asked anew where it was refused before it wrote anything', async () => {
    await using aws = await openAws();
    const rule = { ecrRepositoryPrefix: 'k8s' };
    const ask = (): Promise<AwsAnswer> =>
      askCall(aws, 'ecr', 'DeletePullThroughCacheRule', rule, invocation);
    assert.equal((await ask()).status, 400);
    const made = { ...rule, upstreamRegistryUrl: 'registry.k8s.io' };
    await aws.ecr('CreatePullThroughCacheRule', made);
    assert.equal((await ask()).status, 200);
  });

  test('makes another key where it makes one: a secret is kept nowhere', async () => {
    await using aws = await openAws();
    await askCall(aws, 'iam', 'CreateUser', { UserName: 'mia' });
    const ask = (): Promise<AwsAnswer> =>
      askCall(aws, 'iam', 'CreateAccessKey', { UserName: 'mia' }, invocation);
    const [one, two] = [await ask(), await ask()];
    assert.deepEqual([one.status, two.status], [200, 200]);
    assert.notEqual(said(one), said(two));
    aws.api.clock.advance(60_000);
    await nextTurn();
    const database = new DatabaseSync(aws.api.metadataFile, { readOnly: true });
    const rows = database.prepare('select content from call_records').all();
    database.close();
    assert.deepEqual(rows, []);
  });
});

/** Asks as the first attempt does, and waits until all is written. */
async function asked(
  aws: AwsRig,
  call: Pick<ChangingCall, 'service' | 'operation' | 'input'>,
  input: object,
): Promise<{ readonly first: string; readonly state: unknown }> {
  const answer = await askCall(aws, call.service, call.operation, input, invocation);
  assert.equal(answer.status, 200, answer.text);
  await ended(aws, call);
  return { first: said(answer), state: metadataState(aws.api.metadataFile) };
}

/** A preview goes on after its answer. */
async function ended(aws: AwsRig, { operation }: Pick<ChangingCall, 'operation'>): Promise<void> {
  if (operation !== 'StartLifecyclePolicyPreview') return;
  await until(async () => {
    const { json } = await aws.ecr('GetLifecyclePolicyPreview', { repositoryName: 'team/app' });
    return json.status !== 'IN_PROGRESS';
  });
}
