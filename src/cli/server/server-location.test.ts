import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { createRecordingTerminal } from '../../../tests/support/rigs/recording-terminal.ts';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';
import type { ServedFolder } from '../../../tests/support/processes/served-folder.ts';
import { serveFolder } from '../../../tests/support/processes/served-folder.ts';
import { dialable } from '../../domain/names/server-url.ts';
import { isAddressOf, isLoopback } from './server-address.ts';
import { findServer } from './server-location.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-location-'));
const dataDir = join(folder, 'data');
const key = `Basic ${Buffer.from('AKIATEST:s3cret').toString('base64')}`;

/** What came to the server of the folder, and to one that is none of its business. */
const came: { own: string[]; other: string[] } = { own: [], other: [] };
const servers: Server[] = [];
let own = '';
let other = '';
let served: ServedFolder;

async function listen(to: string[], host = '127.0.0.1'): Promise<string> {
  const server = createServer((request, response) => {
    to.push(request.headers.authorization ?? 'nothing');
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[],"next":null}');
  });
  server.listen(0, host);
  await once(server, 'listening');
  servers.push(server);
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

before(async () => {
  own = await listen(came.own);
  other = await listen(came.other);
  served = await serveFolder(dataDir, 'AKIATEST:s3cret');
});
beforeEach(async () => {
  came.own.length = 0;
  came.other.length = 0;
  await served.record({ listen: own });
});
after(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await served[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

interface Given {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

async function run(words: readonly string[], given: Given = {}) {
  return runCommandLine(words, {
    cwd: folder,
    env: given.env ?? {},
    input: given.input ?? '',
  });
}

const token = { BREAKWATER_TOKEN: 'bw_x_y' };
const byName = (url: string): string => url.replace('127.0.0.1', 'localhost');

interface Row {
  readonly name: string;
  readonly words: () => readonly string[];
  readonly given?: Given;
  /** What the folder's server is sent, and what the other one. */
  readonly own?: readonly string[];
  readonly other?: readonly string[];
  readonly exit: number;
  readonly err?: RegExp;
}

const rows: readonly Row[] = [
  {
    name: 'the key goes to the server of its folder',
    words: () => ['--data-dir', dataDir],
    exit: 0,
    own: [key],
  },
  {
    name: 'the key goes nowhere else',
    words: () => ['--data-dir', dataDir, '--server', other],
    exit: 4,
    err: /^error: no credentials for http:\S+\ncause: the key of \S+ is sent to the server of that folder alone, and its server is at http:\S+\nhint: set BREAKWATER_TOKEN/,
  },
  {
    name: 'the key goes nowhere else, with --insecure neither',
    words: () => ['--data-dir', dataDir, '--server', other, '--insecure'],
    exit: 4,
    err: /is sent to the server of that folder alone/,
  },
  {
    name: 'the key goes to no port that was guessed at under its own name',
    words: () => ['--data-dir', dataDir, '--server', `${own.slice(0, own.lastIndexOf(':'))}:1`],
    exit: 4,
    err: /its server is at/,
  },
  {
    name: 'an address of the own server is that server',
    words: () => ['--data-dir', dataDir, '--server', byName(own)],
    exit: 0,
    own: [key],
  },
  {
    name: 'https is not what the own server speaks, and is another one',
    words: () => ['--data-dir', dataDir, '--server', own.replace('http:', 'https:')],
    exit: 4,
    err: /its server is at http:/,
  },
  {
    name: 'a folder on which no server runs has no server of its own',
    words: () => ['--data-dir', join(folder, 'none'), '--server', own],
    exit: 4,
    err: /and no server runs on it\n/,
  },
  {
    name: 'a token goes where it is sent, and needs no folder',
    words: () => ['--data-dir', join(folder, 'none'), '--server', other],
    given: { env: token },
    exit: 0,
    other: ['Bearer bw_x_y'],
  },
  {
    name: 'a token without --server goes to the server of the folder',
    words: () => ['--data-dir', dataDir],
    given: { env: token },
    exit: 0,
    own: ['Bearer bw_x_y'],
  },
  {
    name: 'a token is not sent over plain HTTP to another machine',
    words: () => ['--server', 'http://registry.invalid:5000'],
    given: { env: token },
    exit: 2,
    err: /^error: http:\/\/registry\.invalid:5000 is plain HTTP to another machine\n.*\nhint: use https:/,
  },
  {
    name: 'the environment names the data folder too',
    words: () => [],
    given: { env: { BREAKWATER__DATA_DIR: dataDir } },
    exit: 0,
    own: [key],
  },
];

suite('credentials', () => {
  for (const row of rows)
    test(row.name, async () => {
      const { exit, err } = await run(['rules', 'ls', ...row.words()], row.given);
      assert.equal(exit, row.exit, err);
      if (row.err) assert.match(err, row.err);
      assert.deepEqual(came, { own: row.own ?? [], other: row.other ?? [] });
    });

  test('a password of login is not sent over plain HTTP to another machine', async () => {
    const words = ['login', '--server', 'http://registry.invalid', '-u', 'x', '--password-stdin'];
    const { exit, err } = await run(words, { input: 'secret' });
    assert.equal(exit, 2);
    assert.match(err, /is plain HTTP/);
  });

  test('--insecure sends it', async () => {
    const terminal = createRecordingTerminal();
    const options = { server: 'http://registry.invalid', insecure: true };
    assert.equal((await findServer(options, terminal)).url.host, 'registry.invalid');
  });

  test('publicUrl is the own server, which is dialled where it listens', async () => {
    await served.record({ listen: own, publicUrl: 'https://registry.invalid' });
    const words = ['rules', 'ls', '--data-dir', dataDir, '--server', 'https://registry.invalid'];
    assert.equal((await run(words)).exit, 0);
    assert.deepEqual(came.own, [key]);
  });

  test('what a killed server left leads nowhere, though its pid is in use again', async () => {
    const left = join(folder, 'left');
    cpSync(dataDir, left, { recursive: true });
    for (const words of [[], ['--server', own]]) {
      const { exit } = await run(['rules', 'ls', '--data-dir', left, ...words]);
      assert.notEqual(exit, 0);
      assert.deepEqual(came.own, []);
    }
  });
});

suite('a client needs of the configuration where the data is', () => {
  const write = (text: string): string => {
    const file = join(folder, 'breakwater.yaml');
    writeFileSync(file, text);
    return file;
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'secrets.yaml'),
    'hub: {username: u, accessToken: "${env:NOT_SET}"}\n',
    {
      mode: 0o600,
    },
  );
  for (const [name, text] of [
    ['a secret whose variable this shell does not have', 'secretsFile: secrets.yaml'],
    ['a secrets file that is not there', 'secretsFile: none.yaml'],
    ['a rule that is wrong', 'rules: [{prefix: UPPER, upstream: "ftp://x"}]'],
    ['a certificate that this user may not read', 'tls: {certFile: none.pem, keyFile: none.pem}'],
    ['a key that a newer version has', 'newer: 1'],
  ] as const)
    test(`${name} is none of its business`, async () => {
      const file = write(`dataDir: ${JSON.stringify(dataDir)}\n${text}\n`);
      const { exit, err } = await run(['rules', 'ls', '--config', file]);
      assert.equal(exit, 0, err);
      const env = await run(['env', '--config', file]);
      if (name.includes('certificate')) assert.equal(env.exit, 0, env.err);
      assert.match(env.out, /AWS_ENDPOINT_URL='http:\/\/127/);
    });

  for (const [name, text, err] of [
    ['a data folder that is no path', 'dataDir: 5', /^error: .*:1:10: dataDir: 5 is not a path/],
    [
      'a text that is no YAML',
      'dataDir: [',
      /^error: .*:1:11: not valid YAML[^]*hint: mend it, or/,
    ],
  ] as const)
    test(`${name} is 2`, async () => {
      const result = await run(['rules', 'ls', '--config', write(text)]);
      assert.equal(result.exit, 2);
      assert.match(result.err, err);
    });
});

suite('addresses of a server', () => {
  const machine = Object.values(networkInterfaces()).flatMap((each) => each ?? [])[0];
  const everywhere = { listen: 'http://127.0.0.1:5000', everywhere: true };
  const loopback = { listen: 'http://127.0.0.1:5000', everywhere: false };
  const rowsOf: readonly (readonly [string, typeof everywhere, boolean])[] = [
    ['http://127.0.0.1:5000', loopback, true],
    ['http://localhost:5000', loopback, true],
    ['http://localhost.:5000', loopback, false],
    ['http://[::1]:5000', loopback, false],
    ['http://127.0.0.2:5000', loopback, false],
    ['http://127.0.0.1:5001', loopback, false],
    ['http://127.0.0.1', loopback, false],
    ['https://127.0.0.1:5000', loopback, false],
    ['http://127.0.0.2:5000', everywhere, true],
    ['http://192.0.2.77:5000', everywhere, false],
    [
      `http://${machine?.family === 'IPv6' ? `[${machine.address}]` : machine?.address}:5000`,
      everywhere,
      true,
    ],
  ];
  for (const [url, where, expected] of rowsOf)
    test(`${url} is ${expected ? 'one' : 'none'} where it listens on ${where.everywhere ? 'every address' : where.listen}`, () => {
      const record = { pid: 1, adminListen: '', ...where };
      assert.equal(isAddressOf(new URL(url), record), expected);
    });

  for (const [listen, dialled] of [
    ['http://0.0.0.0:5000', 'http://127.0.0.1:5000'],
    ['https://[::]:5000', 'https://[::1]:5000'],
    ['http://192.0.2.1:5000', 'http://192.0.2.1:5000'],
  ] as const)
    test(`${listen} is dialled as ${dialled}, by the credentials file too`, () => {
      assert.equal(dialable(listen), dialled);
    });

  for (const [host, expected] of [
    ['localhost', true],
    ['a.localhost', true],
    ['127.9.9.9', true],
    ['[::1]', true],
    ['127.0.0.1.example.com', false],
    ['localhost.example.com', false],
    ['0.0.0.0', false],
  ] as const)
    test(`${host} is ${expected ? '' : 'not '}loopback`, () => {
      assert.equal(isLoopback(new URL(`http://${host}`)), expected);
    });
});
