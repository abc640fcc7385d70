// Debian's awscli, 2.9, which knows no endpoint_url in a profile: by --endpoint-url it logs clients in, makes and lists.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startBreakwater } from '../support/processes/breakwater.ts';
import { runCommand } from '../support/processes/run-command.ts';

/** The first on the path that is as old; skips where there is none. */
async function findOlder(t: TestContext): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, 'aws');
    if (!existsSync(file)) continue;
    const { stdout, stderr } = await runCommand(file, ['--version']);
    const minor = /aws-cli\/2\.(\d+)/.exec(stdout + stderr)?.[1];
    if (minor !== undefined && Number(minor) < 13) return file;
  }
  t.skip('no aws 2 before 2.13: apt-get install awscli (Debian 12 has 2.9)');
  return undefined;
}

test('aws 2.9 logs in, makes and lists repositories, pages and deletes them, with --endpoint-url alone.', async (t) => {
  const program = await findOlder(t);
  if (program === undefined) return;
  const breakwater = await startBreakwater();
  t.after(() => breakwater.close());
  const env = {
    AWS_SHARED_CREDENTIALS_FILE: join(breakwater.dataDir, 'credentials'),
    AWS_CONFIG_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_PAGER: '',
    NO_PROXY: '127.0.0.1,localhost',
  };
  const aws = async (...args: readonly string[]): Promise<string> => {
    const place = ['--endpoint-url', breakwater.url, '--output', 'json'];
    const { code, stdout, stderr } = await runCommand(program, [...place, ...args], { env });
    return code === 0 ? stdout.trim() : stderr.trim();
  };
  const password = await aws('ecr', 'get-login-password');
  const authorization = `Basic ${Buffer.from(`AWS:${password}`).toString('base64')}`;
  const login = await fetch(`${breakwater.url}/v2/`, { headers: { authorization } });
  assert.equal(login.status, 200, password);
  for (const name of ['team/a', 'team/b', 'team/c'])
    await aws('ecr', 'create-repository', '--repository-name', name);
  const query = ['--query', 'repositories[].repositoryName'];
  const listed = await aws('ecr', 'describe-repositories', '--page-size', '1', ...query);
  assert.deepEqual(JSON.parse(listed), ['team/a', 'team/b', 'team/c']);
  const twice = await aws('ecr', 'create-repository', '--repository-name', 'team/a');
  assert.match(twice, /\(RepositoryAlreadyExistsException\) when calling the CreateRepository/);
  await aws('ecr', 'delete-repository', '--repository-name', 'team/a');
  assert.match(await aws('sts', 'get-caller-identity'), /arn:aws:iam::\d{12}:root/);
});
