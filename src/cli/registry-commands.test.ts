import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { createRecordingTerminal } from '../../tests/support/rigs/recording-terminal.ts';
import { runCommandLine } from '../../tests/support/rigs/run-command-line.ts';
import type { ServedFolder } from '../../tests/support/processes/served-folder.ts';
import { serveFolder } from '../../tests/support/processes/served-folder.ts';
import { runProgram } from './program.ts';

interface Asked {
  readonly what: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly authorization: string;
}

/** What the server answers, by `METHOD path`; a number is a status without a body. */
let answers: Readonly<Record<string, unknown>> = {};
const asked: Asked[] = [];
let address = '';
let served: ServedFolder;
const folder = mkdtempSync(join(tmpdir(), 'breakwater-commands-'));
const dataDir = join(folder, 'data');

const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    const url = new URL(request.url ?? '', 'http://server.test');
    const what = `${request.method} ${url.pathname.replace('/api/v1/', '')}`;
    asked.push({
      what,
      query: Object.fromEntries(url.searchParams),
      body: body === '' ? undefined : (JSON.parse(body) as unknown),
      authorization: request.headers.authorization ?? '',
    });
    const found = answers[what];
    const answer = typeof found === 'function' ? (found(asked.at(-1)) as unknown) : found;
    const status = typeof answer === 'number' ? answer : 200;
    const problem = { detail: 'refused', code: 'CODE', status, title: '', type: '', requestId: '' };
    if (status === 204) return void response.writeHead(204).end();
    if (status >= 400)
      return void response
        .writeHead(status, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify(problem));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
});

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  served = await serveFolder(dataDir, 'AKIATEST:s3cret');
  await served.record({ listen: address });
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await served[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  asked.length = 0;
  answers = {};
});

async function run(
  words: readonly string[],
  given: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
) {
  return runCommandLine([...words, '--data-dir', dataDir], {
    cwd: folder,
    env: given.env ?? {},
    input: given.input ?? '',
  });
}

const basic = `Basic ${Buffer.from('AKIATEST:s3cret').toString('base64')}`;
const page = (...items: object[]) => ({ items, next: null });
const key = {
  accessKeyId: 'AKIANEW',
  secretAccessKey: 'the-secret',
  account: '000000000000',
  user: 'ci',
  active: true,
  createdAt: 'then',
  expiresAt: null,
  lastUsedAt: null,
};
const repository = {
  repository: 'team/app',
  arn: 'arn',
  account: '000000000000',
  region: 'us-east-1',
  createdAt: 'then',
  rule: null,
  private: false,
  pushed: true,
  madeBy: { by: 'api', template: null, upstream: null },
  tagMutability: { mode: 'IMMUTABLE', exclusions: [] },
  hasPolicy: false,
};
const token = {
  name: 'build',
  account: '000000000000',
  user: 'ci',
  scopes: [],
  createdAt: 'then',
  expiresAt: 'later',
  lastUsedAt: null,
};
const image = {
  repository: 'team/app',
  digest: 'sha256:aa',
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  size: 2048,
  tag: { name: '1', provenance: 'pushed', source: null, validatedAt: 'then', history: [] },
  children: [{ role: 'config', digest: 'sha256:bb', mediaType: 'type', size: 10, platform: null }],
  referrers: [],
};

interface Row {
  readonly name: string;
  readonly words: string;
  readonly answers: Readonly<Record<string, unknown>>;
  readonly input?: string;
  readonly exit?: number;
  /** The last request's query or body. */
  readonly sent?: object;
  readonly out?: RegExp;
  readonly err?: RegExp;
}

const rows: readonly Row[] = [
  {
    name: 'account create shows the first key',
    words: 'account create 111122223333 --name partners',
    answers: { 'POST accounts': { account: '111122223333', name: 'partners', createdAt: '', key } },
    sent: { account: '111122223333', name: 'partners' },
    out: /AKIANEW +the-secret\n$/,
    err: /not shown again/,
  },
  {
    name: 'user create --robot makes a robot in another account',
    words: 'user create ci --robot --account 111122223333 -o name',
    answers: { 'POST users': { name: 'ci', kind: 'robot', account: '', arn: '', createdAt: '' } },
    sent: { name: 'ci', kind: 'robot', account: '111122223333' },
    out: /^ci\n$/,
  },
  {
    name: 'user keys create shows the secret',
    words: 'user keys create --user ci',
    answers: { 'POST access-keys': key },
    sent: { user: 'ci' },
    out: /^ACCESS-KEY-ID +SECRET-ACCESS-KEY +USER\nAKIANEW +the-secret +ci\n$/,
  },
  {
    name: 'user keys rotate says what becomes of the old keys',
    words: 'user keys rotate --user ci',
    answers: { 'POST access-keys/rotate': { ...key, revoked: [], kept: ['AKIAOLD'], file: null } },
    sent: { user: 'ci', revoke: false },
    out: /AKIANEW/,
    err: /AKIAOLD is still good\. Once nothing uses it: breakwater user keys rm AKIAOLD --user ci/,
  },
  {
    name: 'user keys rotate of the administrator says where the pair stands',
    words: 'user keys rotate --revoke',
    answers: { 'POST access-keys/rotate': { ...key, revoked: ['OLD'], kept: [], file: '/d/c' } },
    sent: { revoke: true },
    err: /The pair stands in \/d\/c on the server\.\nOLD is refused from now on\./,
  },
  {
    name: 'user keys rm names key and user',
    words: 'user keys rm AKIANEW --user ci',
    answers: { 'DELETE access-keys': 204 },
    sent: { id: 'AKIANEW', user: 'ci' },
    out: /^$/,
    err: /^deleted AKIANEW\n$/,
  },
  {
    name: 'token create prints the token alone, and with -q nothing else',
    words:
      'token create build --user ci --scope repository:a:pull --scope repository:b:push --expires 30d -q',
    answers: { 'POST tokens': { ...token, token: 'bw_x_y' } },
    sent: {
      name: 'build',
      user: 'ci',
      scopes: ['repository:a:pull', 'repository:b:push'],
      expiresInSeconds: 2_592_000,
    },
    out: /^bw_x_y\n$/,
    err: /^$/,
  },
  {
    name: 'token create with an end that is no duration is 2',
    words: 'token create build --expires soon',
    answers: {},
    exit: 2,
    err: /30d, 12h/,
  },
  {
    name: 'token rm revokes by name',
    words: 'token rm build --user ci',
    answers: { 'DELETE tokens': 204 },
    sent: { name: 'build', user: 'ci' },
    err: /^revoked build\n$/,
  },
  {
    name: 'policy set reads stdin, and warns of what is said in vain',
    words: 'policy set --repository team/app',
    input: '{"a": 1}\n',
    answers: {
      'POST policies/validate': { warnings: [{ field: 'F', value: 'v', what: 'is', fix: 'w' }] },
      'PUT repository-policy': {},
    },
    sent: { repository: 'team/app', policy: '{"a": 1}\n' },
    err: /^warning: F v: is; w\nset;/,
  },
  {
    name: 'policy set reads a file as aws names it',
    words: 'policy set --registry --file file://policy.json',
    answers: { 'POST policies/validate': { warnings: [] }, 'PUT registry-policy': {} },
    sent: { policy: '{"from": "file"}' },
  },
  {
    name: 'policy set of a user needs a name',
    words: 'policy set --user ci',
    answers: {},
    exit: 2,
    err: /--name/,
  },
  {
    name: 'policy get of two places is 2',
    words: 'policy get --user ci --repository team/app',
    answers: {},
    exit: 2,
    err: /one of --repository, --registry, --user and --role/,
  },
  {
    name: 'policy get prints the text as it was set',
    words: 'policy get --repository team/app',
    answers: { 'GET repository-policy': { account: '', repository: '', policy: '{ "a":1 }' } },
    sent: { repository: 'team/app' },
    out: /^\{ "a":1 \}\n$/,
  },
  {
    name: 'policy get of one of a user’s prints its text',
    words: 'policy get --user ci --name push',
    answers: {
      'GET identity-policies': page({
        account: '',
        user: 'ci',
        name: 'push',
        policy: '{}\n',
        updatedAt: '',
      }),
    },
    sent: { user: 'ci', name: 'push' },
    out: /^\{\}\n$/,
  },
  {
    name: 'policy get of a file that is not there is 2',
    words: 'policy set --registry --file none.json',
    answers: {},
    exit: 2,
    err: /none\.json cannot be read/,
  },
  {
    name: 'policy validate tells each problem and is 2',
    words: 'policy validate --kind identity',
    input: '{}',
    answers: {
      'POST policies/validate': {
        valid: false,
        problems: [
          { field: 'Statement', value: '', what: 'is missing', fix: 'add it' },
          { field: 'Version', value: '"1"', what: 'is none', fix: 'write 2012-10-17' },
        ],
        warnings: [],
      },
    },
    sent: { kind: 'identity', policy: '{}' },
    exit: 2,
    err: /^error: Statement: is missing; add it\nerror: Version "1": is none; write 2012-10-17\n$/,
  },
  {
    name: 'repos create sends mode and filters',
    words:
      'repos create team/app --tag-mutability IMMUTABLE_WITH_EXCLUSION --exclude latest --exclude dev-* --region eu-west-1 -o name',
    answers: { 'POST repositories': repository },
    sent: {
      repository: 'team/app',
      region: 'eu-west-1',
      tagMutability: { mode: 'IMMUTABLE_WITH_EXCLUSION', exclusions: ['latest', 'dev-*'] },
    },
    out: /^team\/app\n$/,
  },
  {
    name: 'repos create with a mode that is none is 2',
    words: 'repos create team/app --tag-mutability SOMETIMES',
    answers: {},
    exit: 2,
    err: /Allowed choices are MUTABLE/,
  },
  {
    name: 'repos set without a setting is 2',
    words: 'repos set team/app',
    answers: {},
    exit: 2,
  },
  {
    name: 'repos rm of one that holds images is 6',
    words: 'repos rm team/app',
    answers: { 'DELETE repositories': 409 },
    exit: 6,
  },
  {
    name: 'repos rm of some that fail is 7, and goes on',
    words: 'repos rm gone team/app --force',
    answers: {
      'DELETE repositories': ({ query }: Asked) => (query['repository'] === 'gone' ? 404 : 204),
    },
    sent: { repository: 'team/app', force: 'true' },
    exit: 7,
    err: /^error: gone: refused\ndeleted team\/app\n$/,
  },
  {
    name: 'tags rm takes the tag from the image',
    words: 'tags rm localhost:5000/team/app:1.2',
    answers: { 'DELETE tags': { repository: '', digest: '', tags: [] } },
    sent: { repository: 'localhost:5000/team/app', tag: '1.2' },
  },
  {
    name: 'tags rm by digest is 2',
    words: 'tags rm team/app@sha256:aa',
    answers: {},
    exit: 2,
    err: /images rm/,
  },
  {
    name: 'images rm without tag and digest is 2',
    words: 'images rm localhost:5000/team/app',
    answers: {},
    exit: 2,
    err: /names no tag and no digest/,
  },
  {
    name: 'images get shows what the manifest names',
    words: 'images get team/app@sha256:aa',
    answers: { 'GET image': image },
    sent: { repository: 'team/app', reference: 'sha256:aa' },
    out: /^image +team\/app@sha256:aa\n[^]*manifest +2\.0 KiB\n[^]*config +sha256:bb {2}10 B {2}type\n$/,
  },
  {
    name: 'access can is 0 where it is allowed',
    words: 'access can ci push team/app --source-ip 192.0.2.7',
    answers: { 'POST access/can': { allowed: true, because: 'a policy' } },
    sent: { principal: 'ci', action: 'push', repository: 'team/app', sourceIp: '192.0.2.7' },
    out: /^allowed: a policy\n$/,
  },
  {
    name: 'access can is 1 where it is denied, with the reason',
    words: 'access can ci push team/app',
    answers: { 'POST access/can': { allowed: false, because: 'no statement' } },
    exit: 1,
    out: /^denied: no statement\n$/,
    err: /^$/,
  },
  {
    name: 'audit ls shows detail with -o wide',
    words: 'audit ls -o wide --limit 5 --account 111122223333',
    answers: {
      'GET audit': page({
        id: 7,
        at: 'then',
        kind: 'change',
        principal: 'p',
        action: 'a',
        resource: '',
        registry: 'r',
        outcome: 'allowed',
        address: '',
        requestId: 'q',
        detail: { tag: '1', force: true },
        count: 1,
      }),
    },
    sent: { limit: '5', account: '111122223333' },
    out: /tag=1 force=true\n$/,
  },
  {
    name: 'whoami says whom the server takes the key for',
    words: 'whoami',
    answers: {
      'GET whoami': {
        principal: 'arn:root',
        kind: 'administrator',
        operator: true,
        via: 'key',
        scopes: null,
      },
    },
    out: /arn:root +operator +key +-\n$/,
  },
];

suite('commands of the registry', () => {
  before(() => writeFileSync(join(folder, 'policy.json'), '{"from": "file"}'));
  for (const row of rows)
    test(row.name, async () => {
      answers = row.answers;
      const given = row.input === undefined ? {} : { input: row.input };
      const result = await run(row.words.split(' '), given);
      assert.equal(result.exit, row.exit ?? 0, result.err);
      assert.match(result.out, row.out ?? /^/);
      assert.match(result.err, row.err ?? /^/);
      const last = asked.at(-1);
      if (row.sent !== undefined) assert.deepEqual(last?.body ?? last?.query, row.sent);
      if (Object.keys(row.answers).length === 0) assert.deepEqual(asked, []);
      else assert.equal(last?.authorization, basic);
    });

  test('a list is asked for page by page, up to the limit', async () => {
    answers = {
      'GET users': ({ query }: Asked) => ({
        items: Array.from({ length: Number(query['limit']) }, (_, n) => ({
          name: `${query['cursor'] ?? 'first'}-${n}`,
          kind: 'user',
          createdAt: '',
          arn: '',
        })),
        next: `after-${query['cursor'] ?? 'first'}`,
      }),
    };
    const { out } = await run(['user', 'ls', '--limit', '1500', '-o', 'json']);
    const list = JSON.parse(out) as { items: unknown[]; next: string };
    assert.deepEqual([list.items.length, list.next], [1500, 'after-after-first']);
    assert.deepEqual(
      asked.map(({ query }) => query),
      [{ limit: '1000' }, { limit: '500', cursor: 'after-first' }],
    );
  });

  test('a token in the environment is used instead of the key, and needs no data folder', async () => {
    answers = { 'GET whoami': { principal: 'p', kind: 'user', via: 'token', scopes: null } };
    const env = { BREAKWATER_TOKEN: 'bw_x_y' };
    const terminal = createRecordingTerminal({ cwd: folder, env });
    const parts = { serve: () => Promise.resolve(0), inspections: () => Promise.resolve([]) };
    assert.equal(await runProgram(['whoami', '--server', address], parts, terminal), 0);
    assert.equal((await run(['whoami'], { env })).exit, 0);
    assert.deepEqual(
      asked.map(({ authorization }) => authorization),
      ['Bearer bw_x_y', 'Bearer bw_x_y'],
    );
  });
});

suite('login', () => {
  let home = '';
  const file = (): string => join(home, '.docker', 'config.json');
  const config = (): unknown => JSON.parse(readFileSync(file(), 'utf8'));
  const host = (): string => new URL(address).host;
  /** Both names of loopback, since docker looks for a login by the name that was typed. */
  const hosts = (): string[] => [`localhost:${new URL(address).port}`, host()];
  const auths = (auth: string): object =>
    Object.fromEntries(hosts().map((each) => [each, { auth }]));
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const login = (words: string[] = [], given: { input?: string; env?: NodeJS.ProcessEnv } = {}) =>
    run(['login', ...words], { ...given, env: { HOME: home, ...given.env } });
  beforeEach(() => {
    home = mkdtempSync(join(folder, 'home-'));
    answers = { 'GET whoami': { principal: 'arn:root' } };
  });

  test('writes the key of the data folder, closed to others, and says where', async () => {
    const { exit, out, err } = await login();
    assert.deepEqual([exit, out], [0, '']);
    assert.equal(err, `${hosts().join(', ')}: arn:root, written to ${file()}\n`);
    assert.deepEqual(config(), { auths: auths(base64('AKIATEST:s3cret')) });
    assert.equal(statSync(file()).mode & 0o777, 0o600);
    assert.equal(statSync(join(home, '.docker')).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(join(home, '.docker')), ['config.json']);
  });

  test('keeps other logins and settings, and a link', async () => {
    mkdirSync(join(home, '.docker'));
    const elsewhere = join(home, 'docker.json');
    writeFileSync(
      elsewhere,
      JSON.stringify({
        auths: { other: { auth: 'eA==' }, [host()]: { email: 'e', auth: 'b2xk' } },
        x: 1,
      }),
      { mode: 0o644 },
    );
    symlinkSync(elsewhere, file());
    await login();
    assert.deepEqual(config(), {
      auths: {
        ...auths(base64('AKIATEST:s3cret')),
        other: { auth: 'eA==' },
        [host()]: { email: 'e', auth: base64('AKIATEST:s3cret') },
      },
      x: 1,
    });
    assert.equal(statSync(elsewhere).mode & 0o777, 0o600);
  });

  test('DOCKER_CONFIG names another folder', async () => {
    const folderName = join(home, 'docker config');
    await login([], { env: { DOCKER_CONFIG: folderName } });
    assert.deepEqual(readdirSync(folderName), ['config.json']);
  });

  test('a user name with a password from stdin is checked at the server first', async () => {
    const words = ['--username', 'token', '--password-stdin'];
    await login(words, { input: 'bw_x_y\n' });
    assert.equal(asked.at(-1)?.authorization, `Basic ${base64('token:bw_x_y')}`);
    assert.deepEqual(config(), { auths: auths(base64('token:bw_x_y')) });
    answers = { 'GET whoami': 401 };
    const refused = await login(words, { input: 'wrong' });
    assert.equal(refused.exit, 4);
    assert.deepEqual(config(), { auths: auths(base64('token:bw_x_y')) });
  });

  test('a token of the environment is a password beside any name', async () => {
    await login([], { env: { BREAKWATER_TOKEN: 'bw_x_y' } });
    assert.deepEqual(config(), { auths: auths(base64('token:bw_x_y')) });
  });

  for (const [name, words] of [
    ['a user name without a password', ['--username', 'x']],
    ['a password without a user name', ['--password-stdin']],
    ['an empty password', ['--username', 'x', '--password-stdin']],
    ['a user name with a colon', ['--username', 'x:y', '--password-stdin']],
  ] as const)
    test(`${name} is 2, and nothing is asked or written`, async () => {
      assert.equal((await login([...words])).exit, 2);
      assert.deepEqual(asked, []);
      assert.deepEqual(readdirSync(home), []);
    });

  test('a file that is no JSON is left alone', async () => {
    mkdirSync(join(home, '.docker'));
    writeFileSync(file(), '{"auths":');
    const { exit, err } = await login();
    assert.equal(exit, 1);
    assert.match(err, /is no JSON object/);
    assert.equal(readFileSync(file(), 'utf8'), '{"auths":');
  });

  test('a credential helper that docker asks first is told', async () => {
    mkdirSync(join(home, '.docker'));
    writeFileSync(file(), '{"credsStore":"desktop"}');
    const { exit, err } = await login();
    assert.equal(exit, 0);
    assert.match(err, /credential helper desktop/);
  });
});
