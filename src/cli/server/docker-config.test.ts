import { deepEqual, equal, rejects } from 'node:assert/strict';
import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../tests/support/samples/storage-samples.ts';
import { writeDockerLogin } from './docker-config.ts';

const host = 'registry.example:5000';

async function login(text: string): Promise<unknown> {
  using folder = temporaryFolder();
  const file = join(folder.path, 'config.json');
  writeFileSync(file, text);
  await writeDockerLogin(file, host, 'bmV3');
  return JSON.parse(readFileSync(file, 'utf8'));
}

test('what clients would use of an earlier login in its stead goes', async () => {
  const old = {
    auth: 'b2xk',
    identitytoken: 'x',
    registrytoken: 'y',
    username: 'u',
    password: 'p',
    email: 'e',
  };
  const other = { auth: 'eA==', identitytoken: 'z' };
  deepEqual(await login(JSON.stringify({ auths: { [host]: old, other } })), {
    auths: { [host]: { auth: 'bmV3', email: 'e' }, other },
  });
});

for (const [name, text] of [
  ['nothing', ''],
  ['no logins', '{"credsStore":""}'],
  ['null for logins', '{"auths":null}'],
  ['a login that is no object', `{"auths":{"${host}":null}}`],
] as const)
  test(`a file with ${name} takes one`, async () => {
    const { auths } = (await login(text)) as { auths: unknown };
    deepEqual(auths, { [host]: { auth: 'bmV3' } });
  });

for (const text of ['{"auths":[1]}', '{"auths":"x"}', '[]', '1'])
  test(`${text} is told, and left as it is`, async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'config.json');
    writeFileSync(file, text);
    await rejects(writeDockerLogin(file, host, 'bmV3'), { code: 'DOCKER_CONFIG_INVALID' });
    equal(readFileSync(file, 'utf8'), text);
  });

test(
  'a file of somebody else stays theirs, closed to others',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'config.json');
    writeFileSync(file, '{}');
    chownSync(file, 1234, 1235);
    await writeDockerLogin(file, host, 'bmV3');
    const { uid, gid, mode } = statSync(file);
    deepEqual([uid, gid, mode & 0o777], [1234, 1235, 0o600]);
  },
);
