// What `breakwater role` sends and shows.
import { deepEqual, equal, match } from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-role-'));
const trustPolicy = '{"Version": "2012-10-17"}';
writeFileSync(join(folder, 'trust.json'), trustPolicy);

const role = {
  account: '000000000000',
  name: 'ci',
  path: '/team/',
  arn: 'arn:aws:iam::000000000000:role/team/ci',
  id: 'AROAEXAMPLE',
  description: 'builds',
  trustPolicy,
  maxSessionSeconds: 7200,
  tags: [],
  createdAt: 'then',
  lastUsedAt: null,
};
const policy = { account: '', user: null, role: 'ci', name: 'p', policy: '{}', updatedAt: 'then' };

const asked: { readonly line: string; readonly body: unknown }[] = [];
const answers: Readonly<Record<string, unknown>> = {
  'POST /api/v1/roles': role,
  'GET /api/v1/roles': { items: [role], next: null },
  'GET /api/v1/role': role,
  'PATCH /api/v1/role': role,
  'GET /api/v1/identity-policies': { items: [policy], next: null },
};
const server = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => (text += String(chunk)));
  request.on('end', () => {
    const line = `${request.method} ${request.url}`;
    asked.push({ line, body: text === '' ? undefined : JSON.parse(text) });
    const answer = answers[line.split('?', 1)[0] ?? ''];
    response.writeHead(answer === undefined ? 204 : 200, { 'content-type': 'application/json' });
    response.end(answer === undefined ? undefined : JSON.stringify(answer));
  });
});
let url = '';
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => void (asked.length = 0));

async function run(words: string, input = '') {
  return runCommandLine([...words.split(' '), '--server', url], {
    cwd: folder,
    env: { BREAKWATER_TOKEN: 'bw_x_y' },
    input,
  });
}

const rows: readonly {
  readonly words: string;
  readonly input?: string;
  readonly line: string;
  readonly body?: object;
  readonly out: RegExp;
}[] = [
  {
    words: 'role create ci --trust trust.json --path /team/ --description builds --max-session 2h',
    line: 'POST /api/v1/roles',
    body: {
      name: 'ci',
      trustPolicy,
      path: '/team/',
      description: 'builds',
      maxSessionSeconds: 7200,
    },
    out: /ci +builds +- +120m +arn:aws:iam::000000000000:role\/team\/ci/,
  },
  {
    words: 'role create ci -o name',
    input: trustPolicy,
    line: 'POST /api/v1/roles',
    body: { name: 'ci', trustPolicy },
    out: /^ci\n$/,
  },
  { words: 'role ls -o name', line: 'GET /api/v1/roles?limit=1000', out: /^ci\n$/ },
  {
    words: 'role show ci -o json --account 111122223333',
    line: 'GET /api/v1/role?name=ci&account=111122223333',
    out: /"trustPolicy"/,
  },
  {
    words: 'role trust get ci',
    line: 'GET /api/v1/role?name=ci',
    out: /^\{"Version": "2012-10-17"\}\n$/,
  },
  {
    words: 'role trust set ci --file trust.json',
    line: 'PATCH /api/v1/role',
    body: { name: 'ci', trustPolicy },
    out: /^$/,
  },
  { words: 'role rm ci', line: 'DELETE /api/v1/roles?name=ci', out: /^/ },
  {
    words: 'policy get --role ci',
    line: 'GET /api/v1/identity-policies?role=ci',
    out: /p +role\/ci +then/,
  },
];
for (const { words, input, line, body, out } of rows)
  test(`breakwater ${words}`, async () => {
    const { exit, ...written } = await run(words, input);
    equal(exit, 0, written.err);
    deepEqual(asked, [{ line, body }]);
    match(written.out, out);
  });

for (const words of [
  'policy get --role ci --user ann',
  'policy rm --role ci',
  'policy get --role ci --region eu-west-1',
  'role create ci --max-session soon',
])
  test(`breakwater ${words} asks nothing`, async () => {
    const { exit } = await run(words);
    equal(exit, 2);
    deepEqual(asked, []);
  });
