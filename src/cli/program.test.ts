import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import type { RecordingTerminal } from '../../tests/support/rigs/recording-terminal.ts';
import { createRecordingTerminal } from '../../tests/support/rigs/recording-terminal.ts';
import type { ServedFolder } from '../../tests/support/processes/served-folder.ts';
import { serveFolder } from '../../tests/support/processes/served-folder.ts';
import type { ProgramParts } from './command-context.ts';
import { failed, passed, warned } from './doctor/report.ts';
import { runProgram } from './program.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let answer: Answer;
let address = '';
let served: ServedFolder;
const requests: { method: string; url: string; authorization: string; body: string }[] = [];
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, authorization: headers.authorization ?? '', body });
    answer(request, response, body);
  });
});
const folder = mkdtempSync(join(tmpdir(), 'breakwater-cli-'));
const dataDir = join(folder, 'data with spaces');

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  served = await serveFolder(dataDir, 'AKIATEST:s3cr=et');
  await served.record({ listen: address });
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await served[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  requests.length = 0;
  answer = (_request, response) => void response.writeHead(500).end();
});

const parts: ProgramParts = {
  serve: () => Promise.resolve(0),
  inspections: () => Promise.resolve([]),
};

interface Run {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  words: readonly string[],
  given: { parts?: ProgramParts; terminal?: RecordingTerminal } = {},
): Promise<Run> {
  const terminal = given.terminal ?? createRecordingTerminal({ cwd: folder });
  const exit = await runProgram(words, given.parts ?? parts, terminal);
  return { exit, ...terminal.written };
}

const json = (value: unknown, status = 200, type = 'application/json'): Answer => {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': type }).end(JSON.stringify(value));
  };
};
const problem = (status: number, code: string, detail: string, more: object = {}): Answer =>
  json(
    { type: 'about:blank', title: code, status, detail, code, requestId: 'r-1', ...more },
    status,
    'application/problem+json',
  );
const at = (...words: string[]): string[] => [...words, '--data-dir', dataDir];

const rule = {
  prefix: 'docker.io',
  origin: 'builtin',
  shadowedBy: null,
  problem: null,
  push: false,
  upstream: 'https://registry-1.docker.io',
  mirrors: ['https://mirror.example'],
  upstreamPrefix: '',
  credential: null,
  anonymousPull: true,
  freshForSeconds: 86_400,
  platforms: ['requested'],
  allow: [],
  deny: [],
  state: 'unknown',
};
const verification = (ok: boolean): object => ({
  prefix: 'docker.io',
  url: 'https://registry-1.docker.io',
  ok,
  durationMs: 12,
  failure: ok ? null : { kind: 'network', reason: 'dns', message: 'dns (ENOTFOUND)' },
});
const listing = (...items: object[]): Answer => json({ items, next: null });

interface Row {
  readonly name: string;
  readonly words: () => string[];
  readonly answer?: () => Answer;
  readonly exit: number;
  readonly err?: RegExp;
  readonly out?: RegExp;
}

const rows: readonly Row[] = [
  {
    name: 'a command that does not exist is 2',
    words: () => ['rulse'],
    exit: 2,
    err: /^error: unknown command 'rulse'\nhint: Did you mean rules\?\n$/,
  },
  {
    name: 'no command at all is 2, with the help',
    words: () => [],
    exit: 2,
    err: /Usage: breakwater[^]*error: a command is missing/,
  },
  {
    name: 'an unknown option is 2',
    words: () => ['rules', 'ls', '--nope'],
    exit: 2,
    err: /^error: unknown option '--nope'/,
  },
  {
    name: 'a wrong format is 2',
    words: () => ['version', '-o', 'xml'],
    exit: 2,
    err: /^error: .*'xml' is invalid/,
  },
  {
    name: 'a missing argument is 2',
    words: () => ['explain'],
    exit: 2,
    err: /^error: missing required argument 'image'/,
  },
  {
    name: 'a file without its option is told which',
    words: () => ['serve', 'b.yaml'],
    exit: 2,
    err: /^error: too many arguments[^]*\nhint: did you mean --config b\.yaml\?\n$/,
  },
  {
    name: 'so is a host of a certificate',
    words: () => ['tls', 'init', '10.0.0.1'],
    exit: 2,
    err: /hint: did you mean --host 10\.0\.0\.1\?\n$/,
  },
  {
    name: 'and a server',
    words: () => ['login', 'localhost:5000'],
    exit: 2,
    err: /hint: did you mean --server localhost:5000\?\n$/,
  },
  {
    name: 'an unknown help topic is 2',
    words: () => ['help', 'exit-code'],
    exit: 2,
    err: /^error: no command or topic/,
  },
  {
    name: 'a file that is not there is 2',
    words: () => ['config', 'validate', '--config', 'none.yaml'],
    exit: 2,
    err: /^error: none\.yaml: the file does not exist\n$/,
  },
  {
    name: 'help is 0 and data',
    words: () => ['help', 'rules', 'ls'],
    exit: 0,
    out: /^Usage: breakwater rules ls/,
  },
  {
    name: 'the exit codes are a help topic',
    words: () => ['help', 'exit-codes'],
    exit: 0,
    out: /\n {2}130 +interrupted/,
  },
  { name: '--version is 0', words: () => ['--version'], exit: 0, out: /^\d+\.\d+\.\d+\n$/ },
  {
    name: 'a data folder without a server is 5',
    words: () => ['explain', 'nginx', '--data-dir', join(folder, 'none')],
    exit: 5,
    err: /^error: the server is not running\ncause: .*run\.json.*\nhint: start it with breakwater serve/,
  },
  {
    name: '--server that is no address is 2',
    words: () => at('rules', 'ls', '--server', 'localhost'),
    exit: 2,
    err: /^error: --server/,
  },
  {
    name: 'refused credentials are 4',
    words: () => at('rules', 'ls'),
    answer: () => problem(401, 'UNAUTHORIZED', 'not known here', { hint: 'use the key' }),
    exit: 4,
    err: /^error: not known here\nhint: use the key\n$/,
  },
  {
    name: 'a denied image is 4',
    words: () => at('refresh', 'nginx'),
    answer: () =>
      problem(403, 'DENIED', 'upstream denied access', {
        cause: { upstream: 'quay.io', message: 'status 401' },
      }),
    exit: 4,
    err: /^error: upstream denied access\ncause: quay\.io: status 401\n$/,
  },
  {
    name: 'what is not there is 3',
    words: () => at('rules', 'verify', 'nope'),
    answer: () => problem(404, 'NAME_UNKNOWN', 'no rule has the prefix nope'),
    exit: 3,
  },
  {
    name: 'an invalid image is 2',
    words: () => at('explain', 'UPPER'),
    answer: () => problem(400, 'REQUEST_INVALID', 'image: not an image name'),
    exit: 2,
  },
  {
    name: 'a conflict is 6',
    words: () => at('refresh', 'nginx'),
    answer: () => problem(409, 'CONFLICT', 'not now'),
    exit: 6,
  },
  {
    name: 'a rate limit is 5',
    words: () => at('refresh', 'nginx'),
    answer: () => problem(429, 'TOO_MANY_REQUESTS', 'upstream rate limit reached'),
    exit: 5,
  },
  {
    name: 'an upstream too slow is 5',
    words: () => at('refresh', 'nginx'),
    answer: () => problem(504, 'UPSTREAM_TIMEOUT', 'upstream did not answer in time'),
    exit: 5,
  },
  {
    name: 'a fault of the server is 1, with its request id',
    words: () => at('refresh', 'nginx'),
    answer: () => problem(500, 'INTERNAL', 'see the log'),
    exit: 1,
    err: /hint: .*r-1/,
  },
  {
    name: 'an answer that is no problem is told as it is',
    words: () => at('rules', 'ls'),
    answer: () => (_request, response) =>
      void response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad</h1>'),
    exit: 5,
    err: /^error: the server answered 502\ncause: <h1>Bad<\/h1>\n$/,
  },
  {
    name: "an answer in the registry's form is told by its message",
    words: () => at('rules', 'ls'),
    answer: () => json({ errors: [{ code: 'UNSUPPORTED', message: 'this port speaks TLS' }] }, 400),
    exit: 2,
    err: /^error: the server answered 400\ncause: this port speaks TLS\n$/,
  },
  {
    name: 'an answer that is no JSON is 5',
    words: () => at('rules', 'ls'),
    answer: () => (_request, response) => void response.end('hello'),
    exit: 5,
    err: /is no Breakwater/,
  },
  {
    name: 'a connection that breaks is 5',
    words: () => at('rules', 'ls'),
    answer: () => (request) => void request.socket.destroy(),
    exit: 5,
    err: /cannot be reached\ncause: socket hang up/,
  },
  {
    name: 'rules that all answer are 0',
    words: () => at('rules', 'verify'),
    answer: () => listing(verification(true)),
    exit: 0,
    out: / ok +12ms/,
  },
  {
    name: 'rules of which some fail are 7',
    words: () => at('rules', 'verify'),
    answer: () => listing(verification(true), verification(false)),
    exit: 7,
    out: /failed +12ms +dns \(ENOTFOUND\)/,
  },
  {
    name: 'rules that all fail are 5',
    words: () => at('rules', 'verify'),
    answer: () => listing(verification(false)),
    exit: 5,
    out: /failed/,
  },
  {
    name: 'rules ls shows the rules',
    words: () => at('rules', 'ls'),
    answer: () => listing(rule),
    exit: 0,
    out: /^PREFIX +UPSTREAM +ORIGIN +SHADOWED-BY +CREDENTIAL +ANONYMOUS +FRESH-FOR +STATE\ndocker\.io +https:\/\/registry-1\.docker\.io +builtin +- +- +yes +24h +unknown\n$/,
  },
  {
    name: 'rules create shows the rule that was made',
    words: () => at('rules', 'create', 'hub', 'docker.io', '--fresh-for', '1h', '--no-push'),
    answer: () => json(rule),
    exit: 0,
    out: /^PREFIX[^]*docker\.io/,
  },
  {
    name: 'rules create with a time that is none is 2',
    words: () => at('rules', 'create', 'hub', 'docker.io', '--fresh-for', '1'),
    exit: 2,
    err: /write a time, as 800ms, 30s or 24h/,
  },
  {
    name: 'rules set without anything to set is 2',
    words: () => at('rules', 'set', 'hub'),
    exit: 2,
    err: /say what to set/,
  },
  {
    name: 'rules set with a default of nothing known is 2',
    words: () => at('rules', 'set', 'hub', '--default', 'constructor'),
    exit: 2,
    err: /--default takes anonymousPull, .*not constructor/,
  },
  {
    name: 'rules rm says what is in force again',
    words: () => at('rules', 'rm', 'docker.io'),
    answer: () => json({ prefix: 'docker.io', restored: 'builtin' }),
    exit: 0,
    err: /the built-in rule docker\.io is in force now/,
  },
  {
    name: 'rules validate of one that is not valid is 5, with the failure',
    words: () => at('rules', 'validate', 'hub'),
    answer: () => json({ prefix: 'hub', valid: false, failure: 'no such host' }),
    exit: 5,
    out: /hub +no +no such host/,
  },
  {
    name: 'rules ls -o wide adds columns',
    words: () => at('rules', 'ls', '-o', 'wide'),
    answer: () => listing(rule),
    exit: 0,
    out: /MIRRORS[^]*https:\/\/mirror\.example/,
  },
  {
    name: 'rules ls --no-headers has lines alone',
    words: () => at('rules', 'ls', '--no-headers'),
    answer: () => listing(rule),
    exit: 0,
    out: /^docker\.io/,
  },
  {
    name: 'rules ls -o name has prefixes alone',
    words: () => at('rules', 'ls', '-o', 'name'),
    answer: () => listing(rule),
    exit: 0,
    out: /^docker\.io\n$/,
  },
  {
    name: 'rules ls -o yaml has the schema of the API',
    words: () => at('rules', 'ls', '-o', 'yaml'),
    answer: () => listing(rule),
    exit: 0,
    out: /^items:\n {2}- prefix: docker\.io\n[^]*next: null\n$/,
  },
  {
    name: 'refresh shows the digest',
    words: () => at('refresh', 'nginx'),
    answer: () =>
      json({
        image: 'nginx',
        repository: 'docker.io/library/nginx',
        tag: 'latest',
        before: null,
        after: 'sha256:abc',
        changed: true,
      }),
    exit: 0,
    out: /docker\.io\/library\/nginx +latest +yes +sha256:abc\n$/,
  },
];

suite('exit codes and output', () => {
  for (const row of rows)
    test(row.name, async () => {
      if (row.answer) answer = row.answer();
      const { exit, out, err } = await run(row.words());
      assert.equal(exit, row.exit, err);
      if (row.err) assert.match(err, row.err);
      else assert.ok(row.out ? err === '' : err.startsWith('error: '), err);
      if (row.out) assert.match(out, row.out);
      else assert.equal(out, '');
    });
});

test('-o json gives the answer of the API to stdout', async () => {
  answer = listing(rule);
  const { out } = await run(at('rules', 'ls', '-o', 'json'));
  assert.deepEqual(JSON.parse(out), { items: [rule], next: null });
});

test('-o json gives an error as one object on stderr', async () => {
  answer = problem(404, 'NAME_UNKNOWN', 'no rule leads to this name', { hint: 'look' });
  const { exit, out, err } = await run(at('refresh', 'a.example/b', '-o', 'json'));
  assert.equal(exit, 3);
  assert.equal(out, '');
  const error = { code: 'NAME_UNKNOWN', message: 'no rule leads to this name', hint: 'look' };
  assert.deepEqual(JSON.parse(err), { error });
});

test('the request carries the key of the data folder, the query and the body', async () => {
  answer = problem(404, 'X', 'x');
  await run(at('explain', 'a b&c', '--probe'));
  await run(at('refresh', 'nginx:1'));
  const authorization = `Basic ${Buffer.from('AKIATEST:s3cr=et').toString('base64')}`;
  assert.deepEqual(requests, [
    { method: 'GET', url: '/api/v1/explain?image=a+b%26c&probe=true', authorization, body: '' },
    { method: 'POST', url: '/api/v1/refresh', authorization, body: '{"image":"nginx:1"}' },
  ]);
});

test('Ctrl-C while waiting is 130 and says nothing', async () => {
  const terminal = createRecordingTerminal({ cwd: folder });
  answer = () => terminal.interrupt();
  const { exit, out, err } = await run(at('rules', 'verify'), { terminal });
  assert.deepEqual({ exit, out, err }, { exit: 130, out: '', err: '' });
});

test('the configuration names the data folder', async () => {
  answer = listing();
  writeFileSync(join(folder, 'b.yaml'), `dataDir: ${JSON.stringify(dataDir)}\n`);
  assert.equal((await run(['rules', 'ls', '--config', 'b.yaml'])).exit, 0);
});

test('an invalid configuration is 2, a line for each problem with its place', async () => {
  writeFileSync(join(folder, 'bad.yaml'), 'listen: 5\nnope: 1\n');
  const { exit, err } = await run(['config', 'validate', '--config', 'bad.yaml']);
  assert.equal(exit, 2);
  assert.match(err, /^error: bad\.yaml:1:9: listen: .*\nerror: bad\.yaml:2:1: nope: .*\n$/);
});

test('env prints exports that a shell reads back, and works with the server down', async () => {
  const terminal = createRecordingTerminal({
    cwd: folder,
    env: { BREAKWATER__DATA_DIR: "it's here", BREAKWATER__LISTEN: '0.0.0.0:7000' },
  });
  const { exit, out } = await run(['env'], { terminal });
  assert.equal(exit, 0);
  assert.ok(
    out.startsWith(`export AWS_SHARED_CREDENTIALS_FILE='${folder}/it'\\''s here/credentials'\n`),
  );
  assert.match(out, /^export AWS_ENDPOINT_URL='http:\/\/127\.0\.0\.1:7000'$/m);
});

test('serve ends with what the server ends with, and gets file and environment', async () => {
  const seen: unknown[] = [];
  const terminal = createRecordingTerminal({ cwd: folder, env: { A: 'b' } });
  const { exit } = await run(['serve', '--config', 'b.yaml'], {
    terminal,
    parts: {
      ...parts,
      serve: (config, options) => {
        seen.push(config.dataDir, options);
        return Promise.resolve(42);
      },
    },
  });
  assert.equal(exit, 42);
  assert.deepEqual(seen, [dataDir, { configFile: 'b.yaml', env: { A: 'b' } }]);
});

test('serve on a taken port says what to do', async () => {
  const taken = Object.assign(new Error('listen EADDRINUSE: address already in use'), {
    code: 'EADDRINUSE',
  });
  const { exit, err } = await run(['serve'], {
    parts: { ...parts, serve: () => Promise.reject(taken) },
  });
  assert.equal(exit, 1);
  assert.match(err, /^error: listen EADDRINUSE.*\nhint: another process listens there/);
});

suite('doctor', () => {
  const inspecting = (...checks: ReturnType<typeof passed>[]): { parts: ProgramParts } => ({
    parts: {
      ...parts,
      inspections: () =>
        Promise.resolve([{ categoryName: 'upstreams', inspect: () => Promise.resolve(checks) }]),
    },
  });

  test('a failed check is 1, each with its mark and its hint', async () => {
    const given = inspecting(passed('a'), warned('b', 'hm', 'do'), failed('c', 'no', 'fix'));
    const { exit, out } = await run(['doctor', '--category', 'upstreams'], given);
    assert.equal(exit, 1);
    assert.equal(
      out,
      'upstreams\n---------\n√ a\n‼ b\n    hm\n    hint: do\n× c\n    no\n    hint: fix\n\n' +
        'Status: × 1 passed, 1 warnings, 1 failed\n',
    );
  });

  test('warnings alone are 0', async () => {
    const words = ['doctor', '--category', 'upstreams', '-o', 'json'];
    const { exit, out } = await run(words, inspecting(warned('b', 'hm')));
    assert.equal(exit, 0);
    const checks = [{ description: 'b', result: 'warning', error: 'hm' }];
    assert.deepEqual(JSON.parse(out), {
      success: true,
      categories: [{ categoryName: 'upstreams', checks }],
    });
  });

  test('an invalid configuration is a failed check with its place', async () => {
    const { exit, out } = await run(['doctor', '--config', 'bad.yaml']);
    assert.equal(exit, 1);
    assert.match(out, /× is valid \(bad\.yaml\)\n {4}bad\.yaml:1:9: listen/);
    assert.match(out, /go without what is wrong\n[^]*√ \S+ is writable\n/);
  });

  test('an invalid configuration is told, whatever is asked for', async () => {
    const words = ['doctor', '--config', 'bad.yaml', '--category', 'tls'];
    const { exit, out } = await run(words);
    assert.equal(exit, 1);
    assert.match(out, /^config\n[^]*bad\.yaml:1:9: listen[^]*\ntls\n/);
  });

  test('what says nothing of where to look ends the checks that need it, not those of Node', async () => {
    writeFileSync(join(folder, 'broken.yaml'), 'listen: [');
    const { exit, out } = await run(['doctor', '--config', 'broken.yaml'], inspecting(passed('a')));
    assert.equal(exit, 1);
    assert.match(
      out,
      /× is valid[^]*√ Node [^]*not checked\n-+\n‼ tls, storage, database, keys, upstreams, issuers, server\n/,
    );
    assert.doesNotMatch(out, /√ a\n/);
  });

  test('storage is looked at without leaving anything behind', async () => {
    const words = ['doctor', '--config', 'b.yaml', '--category', 'storage', '-o', 'json'];
    const { readdirSync } = await import('node:fs');
    const there = readdirSync(dataDir);
    const { out } = await run(words);
    assert.match(out, /is writable/);
    assert.deepEqual(readdirSync(dataDir), there);
  });

  test('a running server is asked whether it is ready, and for its upstreams', async () => {
    answer = (request, response, body) =>
      request.url === '/readyz'
        ? void response.writeHead(503).end('storage')
        : listing()(request, response, body);
    const { exit, out } = await run(['doctor', '--config', 'b.yaml', '--category', 'server']);
    assert.equal(exit, 1);
    assert.match(
      out,
      /√ is running[^]*× is ready\n {4}\/readyz answered 503: storage\n√ answers its API/,
    );
  });

  test('a category that breaks down does not end the others', async () => {
    const given: { parts: ProgramParts } = {
      parts: {
        ...parts,
        inspections: () =>
          Promise.resolve([
            { categoryName: 'upstreams', inspect: () => Promise.reject(new Error('oh')) },
          ]),
      },
    };
    const words = ['doctor', '--config', 'b.yaml', '--category', 'upstreams', 'server'];
    answer = listing();
    const { out } = await run(words, given);
    assert.match(out, /× can be checked\n {4}oh\n\nserver/);
  });
});
