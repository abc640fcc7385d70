import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { openApi } from '../../../tests/support/rigs/api-rig.ts';

test('keys are shown with what they have sealed, and rotated, by the operator', async () => {
  await using api = await openApi();
  const [old] = api.keys.masters;
  await api.ask('POST users', { body: { name: 'ci' } });
  const { json: before } = await api.ask('GET keys');
  assert.deepEqual(before.from, ['file']);
  assert.deepEqual(
    before.keys.map((key: { id: string; seals: boolean }) => [key.id, key.seals]),
    [[old?.id, true]],
  );
  assert.deepEqual([before.missing, before.rotation], [[], null]);
  api.clock.advance(1);
  const { status, json: started } = await api.ask('POST keys/rotate');
  assert.deepEqual([status, started.rotation.endedAt], [200, null]);
  assert.equal(api.audited.at(-1)?.action, 'breakwater:RotateKeys');
  for (;;) {
    const { json } = await api.ask('GET keys');
    if (json.rotation.endedAt !== null) {
      assert.deepEqual(
        [json.rotation.phase, json.keys.length, json.keys[1].id],
        ['done', 2, old?.id],
      );
      assert.notEqual(json.keys[1].supersededAt, null);
      break;
    }
    await turn();
    api.clock.advance(500);
  }
});

test('a key that is not here is shown with what it has sealed', async () => {
  await using api = await openApi();
  const row = { account: '000000000000', name: undefined, active: true, createdAt: 1 };
  const times = { expiresAt: undefined, lastUsedAt: undefined };
  const sealedSecret = 'v1.gonegone.AAAA';
  await api.metadata.identities.createAccessKey({ id: 'AKIA', sealedSecret, ...row, ...times });
  const { json } = await api.ask('GET keys');
  assert.deepEqual(json.missing, [{ id: 'gonegone', accessKeys: 1, secretValues: 0 }]);
});

for (const endpoint of ['GET keys', 'POST keys/rotate'])
  test(`${endpoint} is the operator's alone`, async () => {
    await using api = await openApi();
    const { status } = await api.ask(endpoint, { as: 'ann' });
    assert.equal(status, 403);
    assert.equal(api.keyRotation.last, undefined);
  });
