import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { registryKey } from '../../domain/names/registry.ts';
import { createFileSecrets } from './file-secrets.ts';

const name = 'ecr-pullthroughcache/hub';
const credential = { name, username: 'ann', accessToken: 't0ken' };
const named = new Map([
  [name, credential],
  [`${name}-second`, { ...credential, username: 'bob' }],
]);
const secrets = createFileSecrets({
  home: homeRegistry,
  secrets: () => named,
  file: () => ({ path: 'secrets.yaml', changedAt: 5 }),
});
const arn = `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}`;

async function userOf(text: string): Promise<string | undefined> {
  const found = await secrets.find(homeRegistry, text);
  return found.kind === 'value'
    ? (JSON.parse(found.text) as typeof credential).username
    : undefined;
}

suite('a secret of secretsFile', () => {
  test('is found by its ARN without the six characters, and by the one that it is answered with', async () => {
    const found = await secrets.find(homeRegistry, arn);
    assert.ok(found.kind === 'value');
    assert.match(found.secret, /hub-[0-9a-f]{6}$/);
    assert.equal(await userOf(found.secret), 'ann');
  });

  test('whose name ends as an ARN does is found by its own name', async () => {
    assert.equal(await userOf(`${arn}-second`), 'bob');
  });

  test('is home’s in whatever region its ARN names', async () => {
    assert.equal(await userOf(arn.replace('us-east-1', 'eu-west-2')), 'ann');
  });

  for (const [what, text] of [
    ['another name', `${arn}x`],
    ['six other characters', `${arn}-AbCdEf`],
    ['another account', arn.replace('000000000000', '111122223333')],
    ['what is no ARN', name],
    ['another service', arn.replace('secretsmanager', 'ssm')],
  ] as const)
    test(`is not found by ${what}`, async () => assert.equal(await userOf(text), undefined));

  test('is of no other registry', async () => {
    const other = registryKey({ account: '000000000000', region: 'eu-west-2' });
    assert.deepEqual(await secrets.find(other, arn), { kind: 'notFound' });
  });
});
