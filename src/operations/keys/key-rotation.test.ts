import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { createLocalLeases } from '../../coordination/local-leases.ts';
import type { KeyStore } from '../../access/secrets/key-store.ts';
import type { SealedMetadata } from '../../metadata/contract/sealed.ts';
import { createKeyRotation } from './key-rotation.ts';
import type { KeyRotation, KeyRotationParts } from './key-rotation.ts';

const hourMs = 3_600_000;
const secretsCount = 450;

/** More secrets than two pages hold, and two access keys. */
async function fill(aws: AwsRig, count = secretsCount): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, n) =>
      aws.secrets('CreateSecret', { Name: `s${n}`, SecretString: `value ${n}` }),
    ),
  );
  const user = { Version: '2010-05-08', UserName: 'ann' };
  for (const Action of ['CreateUser', 'CreateAccessKey', 'CreateAccessKey'])
    await aws.form({ Action, ...user }, { service: 'iam' });
}

async function assertReadable(aws: AwsRig, count = secretsCount): Promise<void> {
  for (let n = 0; n < count; n += 97) {
    const { json, text } = await aws.secrets('GetSecretValue', { SecretId: `s${n}` });
    assert.equal(json.SecretString, `value ${n}`, text);
  }
  for (const { id, sealed } of await keysOf(aws.api.metadata.sealed))
    assert.equal(aws.api.keys.open(sealed, id[0] ?? '').length, 40);
}

const keysOf = (sealed: Pick<SealedMetadata, 'listSealed'>) =>
  sealed.listSealed('accessKeys', { notBy: '', after: undefined, limit: 99 });

/** `accessKeys`, `secretValues` by the first key; all others. */
async function counts({ api }: AwsRig): Promise<readonly number[]> {
  const first = api.keys.masters[0]?.id;
  const of = await api.metadata.sealed.countSealed();
  const sum = (fits: (row: (typeof of)[number]) => boolean): number =>
    of.filter(fits).reduce((total, { count }) => total + count, 0);
  return [
    sum(({ kind, key }) => kind === 'accessKeys' && key === first),
    sum(({ kind, key }) => kind === 'secretValues' && key === first),
    sum(({ key }) => key !== first),
  ];
}

/** Starts it and lets time pass until it has ended. */
async function rotate(
  { api }: AwsRig,
  rotation: KeyRotation = api.keyRotation,
  meanwhile: () => Promise<void> = async () => {},
): Promise<NonNullable<KeyRotation['last']>> {
  api.clock.advance(1);
  const state = rotation.start();
  while (state.endedAt === undefined) {
    await turn();
    await meanwhile();
    api.clock.advance(500);
  }
  return state;
}

function rotationOver({ api }: AwsRig, change: Partial<KeyRotationParts>): KeyRotation {
  return createKeyRotation({
    keys: api.keys,
    metadata: api.metadata,
    invalidations: { note: () => {} },
    leases: createLocalLeases(createFakeClock()),
    clock: api.clock,
    note: () => {},
    failed: () => {},
    ...change,
  });
}

suite('a rotation', () => {
  test('seals everything by a new key while secrets are read and put, and removes the old one 13 hours later', async () => {
    await using aws = await openAws();
    await fill(aws);
    const { clock, keys } = aws.api;
    const [old] = keys.masters;
    const signed = keys.signing[0];
    let puts = 0;
    const state = await rotate(aws, undefined, async () => {
      await assertReadable(aws);
      puts += 1;
      await aws.secrets('CreateSecret', { Name: `during${puts}`, SecretString: 'x' });
    });
    assert.deepEqual(
      [state.phase, state.madeKey, state.unopened, state.problem],
      ['done', true, 0, undefined],
    );
    assert.notEqual(keys.masters[0]?.id, old?.id);
    assert.deepEqual(await counts(aws), [2, secretsCount + puts, 0]);
    await assertReadable(aws);
    await aws.api.keyRotation.retire();
    assert.deepEqual([keys.masters.length, keys.signing.length], [2, 2]);
    clock.advance(13 * hourMs);
    await aws.api.keyRotation.retire();
    assert.deepEqual([keys.masters.length, keys.signing.length], [1, 1]);
    assert.notEqual(keys.signing[0]?.id, signed?.id);
    await assertReadable(aws);
  });

  test('may end at any call of the database or of the key files: everything opens, and the next goes on with the same key', async () => {
    let calls = Infinity;
    for (let failing = 1; failing <= calls; failing += 1) {
      await using aws = await openAws();
      await fill(aws, 201);
      let made = 0;
      let done = 0;
      const counted = <T extends object>(target: T): T =>
        new Proxy(target, {
          get: (of, name) => {
            const value: unknown = Reflect.get(of, name, of);
            if (typeof value !== 'function') return value;
            if (name === 'seal' || name === 'open') return value.bind(of) as unknown;
            return (...input: unknown[]): unknown => {
              done += 1;
              if (done === failing) throw new Error('the disk is away');
              if (name === 'add') made += 1;
              return Reflect.apply(value, of, input);
            };
          },
        });
      const broken = rotationOver(aws, {
        keys: counted(aws.api.keys),
        metadata: { sealed: counted(aws.api.metadata.sealed) },
      });
      const state = await rotate(aws, broken);
      if (done < failing) {
        assert.deepEqual([state.phase, state.unopened], ['done', 0]);
        assert.deepEqual(await counts(aws), [2, 201, 0]);
        calls = done;
        break;
      }
      assert.equal(state.phase, 'failed');
      assert.match(state.problem ?? '', /the disk is away; run it again to go on/);
      await assertReadable(aws, 201);
      const isUnderWay = (await counts(aws))[2] !== 0 && made > 0;
      const next = await rotate(aws);
      assert.equal(next.phase, 'done');
      if (isUnderWay) assert.equal(next.madeKey, false, `call ${failing}`);
      assert.deepEqual(await counts(aws), [2, 201, 0]);
      await assertReadable(aws, 201);
    }
    assert.ok(calls > 8, String(calls));
  });

  test('names what cannot be opened, leaves it as it is, and keeps the key that sealed it', async () => {
    await using aws = await openAws();
    await fill(aws, 3);
    const { metadata, keys, clock } = aws.api;
    const [row] = await metadata.sealed.listSealed('secretValues', {
      notBy: '',
      after: undefined,
      limit: 1,
    });
    const before = row?.sealed ?? '';
    const after = `${before.slice(0, -8)}AAAAAAAA`;
    await metadata.sealed.reseal({ kind: 'secretValues', rows: [{ id: row!.id, before, after }] });
    const old = keys.masters[0]?.id;
    const state = await rotate(aws);
    assert.deepEqual([state.phase, state.unopened], ['done', 1]);
    assert.match(state.unopenedNames.join(), /^secret s0 of 000000000000\/us-east-1, version /);
    clock.advance(14 * hourMs);
    await aws.api.keyRotation.retire();
    assert.equal(keys.masters.at(-1)?.id, old);
    // It keeps no later rotation from making another key.
    assert.equal((await rotate(aws)).madeKey, true);
  });

  test('is one at a time: a second start joins it, and another process is told', async () => {
    await using aws = await openAws();
    await fill(aws, 2);
    const leases = createLocalLeases(createFakeClock());
    const [one, other] = [rotationOver(aws, { leases }), rotationOver(aws, { leases })];
    const state = one.start();
    assert.equal(one.start(), state);
    await turn();
    assert.match((await rotate(aws, other)).problem ?? '', /another process seals/);
    await rotate(aws, one);
    assert.equal(state.phase, 'done');
  });

  test('of which the server is shut down ends at once, and says how to go on', async () => {
    await using aws = await openAws();
    await fill(aws, 2);
    const rotation = rotationOver(aws, {});
    const state = rotation.start();
    while (aws.api.keys.settlesInMs === 0) await turn();
    await rotation[Symbol.asyncDispose]();
    assert.match(state.problem ?? '', /shut down; run it again/);
  });
});

suite('two processes on one database', () => {
  test('read and seal throughout, whichever of them rotates', async () => {
    await using aws = await openAws();
    await fill(aws, 5);
    const { keys, metadata, clock } = aws.api;
    const there: KeyStore = await aws.api.openKeys();
    const note = (): void => void there.reload();
    let puts = 0;
    const state = await rotate(aws, rotationOver(aws, { invalidations: { note } }), async () => {
      const id = `AKIA${(puts += 1)}`;
      const owner = { account: '000000000000', name: 'ann', active: true, createdAt: 1 };
      const times = { expiresAt: undefined, lastUsedAt: undefined };
      await metadata.identities.deleteAccessKey({ id: (await keysOf(metadata.sealed))[0]!.id[0]! });
      const sealedSecret = there.seal('s'.repeat(40), id);
      assert.equal(
        await metadata.identities.createAccessKey({ id, sealedSecret, ...owner, ...times }),
        'created',
      );
      for (const store of [keys, there])
        for (const { id: of, sealed } of await keysOf(metadata.sealed))
          assert.equal(store.open(sealed, of[0]!).length, 40);
    });
    assert.deepEqual([state.phase, puts > 10], ['done', true]);
    assert.deepEqual(await counts(aws), [2, 5, 0]);
    clock.advance(13 * hourMs);
    await aws.api.keyRotation.retire();
    await there.reload();
    assert.equal(there.masters.length, 1);
    await assertReadable(aws, 5);
  });
});
