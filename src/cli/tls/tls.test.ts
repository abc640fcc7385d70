import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import {
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createRecordingTerminal } from '../../../tests/support/rigs/recording-terminal.ts';
import { authorityProblem } from './certificates.ts';
import { runProgram } from '../program.ts';

const dayMs = 86_400_000;
let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'breakwater-tls-'));
});
after(() => rm(folder, { recursive: true }));

interface Ended {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

async function init(dir: string, ...options: readonly string[]): Promise<Ended> {
  const terminal = createRecordingTerminal({ cwd: folder });
  const parts = { serve: async () => 0, inspections: async () => [] };
  const exit = await runProgram(['tls', 'init', '--dir', dir, ...options], parts, terminal);
  return { exit, ...terminal.written };
}

const read = (...path: readonly string[]): Promise<string> =>
  readFile(join(folder, ...path), 'utf8');

async function certificate(dir: string, name: string): Promise<X509Certificate> {
  return new X509Certificate(await read(dir, name));
}

/** What a client that trusts this CA alone is answered. */
async function get(host: string, port: number, ca: string, servername?: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = request(
    {
      host,
      port,
      ca,
      agent: false,
      ...(servername === undefined ? {} : { servername }),
    },
    (answer) => {
      answer.resume();
      resolve(String(answer.statusCode));
    },
  );
  sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'failed'));
  sent.on('close', () => reject(new Error('no answer')));
  sent.end();
  return promise;
}

suite('tls init', () => {
  test('makes a CA and a server certificate that clients of the CA trust by each name', async () => {
    const ended = await init('first', '--host', 'Registry.Example', '--host', '[2001:db8::1]');
    equal(ended.exit, 0);
    const server = createServer(
      { cert: await read('first', 'server.crt'), key: await read('first', 'server.key') },
      (_request, response) => void response.end(),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ca = await read('first', 'ca.crt');
    try {
      deepEqual(
        [
          await get('localhost', port, ca),
          await get('127.0.0.1', port, ca),
          await get('127.0.0.1', port, ca, 'registry.example'),
          await get('127.0.0.1', port, ca, 'other.example'),
        ],
        ['200', '200', '200', 'ERR_TLS_CERT_ALTNAME_INVALID'],
      );
    } finally {
      server.close();
    }
    const { subjectAltName = '' } = await certificate('first', 'server.crt');
    for (const name of ['127.0.0.1', '0:0:0:0:0:0:0:1', '2001:DB8:0:0:0:0:0:1'])
      ok(subjectAltName.includes(`IP Address:${name}`), subjectAltName);
    if (/^[a-z0-9-]{1,63}$/.test(hostname())) ok(subjectAltName.includes(`DNS:${hostname()}`));
  });

  test('writes an IPv6 address with a dotted end as it is', async () => {
    await init('dotted', '--host', '::ffff:192.0.2.1', '--host', '0:0:0:0:0:0:0:1');
    const { subjectAltName = '' } = await certificate('dotted', 'server.crt');
    ok(subjectAltName.includes('IP Address:0:0:0:0:0:FFFF:C000:201'), subjectAltName);
    equal(subjectAltName.split('IP Address:0:0:0:0:0:0:0:1').length, 2, 'once');
  });

  test('says what each certificate may be used for', async () => {
    await init('uses');
    const ca = await certificate('uses', 'ca.crt');
    const server = await certificate('uses', 'server.crt');
    deepEqual([ca.ca, server.ca], [true, false]);
    ok(server.checkIssued(ca));
    ok(server.verify(ca.publicKey));
    deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    equal(server.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    equal(server.validToDate.getTime() - server.validFromDate.getTime(), 825 * dayMs);
    ok(ca.validToDate > server.validToDate);
    equal((await read('uses', 'server.crt')).split('BEGIN CERTIFICATE').length, 3);
  });

  test('keeps the keys from other users', async () => {
    await init('modes');
    const modes = await Promise.all(
      ['ca.crt', 'ca.key', 'server.crt', 'server.key'].map(async (name) =>
        ((await stat(join(folder, 'modes', name))).mode & 0o777).toString(8),
      ),
    );
    deepEqual(modes, ['644', '600', '644', '600']);
    deepEqual((await readdir(join(folder, 'modes'))).length, 4);
  });

  test('prints what goes into the configuration, and the rest on stderr', async () => {
    const { out, err } = await init('printed', '--host', 'registry.example');
    const file = (name: string): string => join(folder, 'printed', name);
    equal(out, `tls:\n  certFile: "${file('server.crt')}"\n  keyFile: "${file('server.key')}"\n`);
    match(err, /A new CA: /);
    ok(err.includes('/etc/docker/certs.d/registry.example:5000/ca.crt'));
    ok(err.includes(`SSL_CERT_FILE=${file('ca.crt')}`));
    ok(err.includes(`ca = "${file('ca.crt')}"`));
    equal((await init('printed', '--force', '-q')).err, '');
  });

  test('overwrites nothing', async () => {
    await init('kept');
    const names = ['ca.crt', 'ca.key', 'server.crt', 'server.key'];
    const texts = (): Promise<string[]> => Promise.all(names.map((name) => read('kept', name)));
    const old = await texts();
    const { exit, out, err } = await init('kept');
    deepEqual([exit, out], [6, '']);
    match(err, /^error: .*server\.key exists\nhint: --force /);
    deepEqual(await texts(), old);
  });

  test('with --force makes the server certificate anew by the same CA', async () => {
    await init('again');
    const [ca, key, server] = await Promise.all(
      ['ca.crt', 'ca.key', 'server.crt'].map((name) => read('again', name)),
    );
    const { exit, err } = await init('again', '--force', '--days', '3');
    equal(exit, 0);
    match(err, /The CA that was there: /);
    deepEqual([await read('again', 'ca.crt'), await read('again', 'ca.key')], [ca, key]);
    const anew = await certificate('again', 'server.crt');
    ok(anew.toString() !== server);
    ok(anew.verify((await certificate('again', 'ca.crt')).publicKey));
    equal(anew.validToDate.getTime() - anew.validFromDate.getTime(), 3 * dayMs);
  });

  test('a CA without a server certificate signs one', async () => {
    await init('half');
    await unlink(join(folder, 'half', 'server.crt'));
    await unlink(join(folder, 'half', 'server.key'));
    equal((await init('half')).exit, 0);
    const ca = await certificate('half', 'ca.crt');
    ok((await certificate('half', 'server.crt')).verify(ca.publicKey));
  });

  const broken: readonly (readonly [
    name: string,
    spoil: (dir: string) => Promise<void>,
    told: RegExp,
  ])[] = [
    [
      'whose key is not there',
      (dir) => unlink(join(dir, 'ca.key')),
      /ca\.crt is there, but .*ca\.key is not/,
    ],
    [
      'whose certificate is not there',
      (dir) => unlink(join(dir, 'ca.crt')),
      /ca\.key is there, but .*ca\.crt is not/,
    ],
    ['that is no PEM', (dir) => writeFile(join(dir, 'ca.crt'), 'no'), /hold no usable PEM/],
    [
      'with the key of another',
      async (dir) => writeFile(join(dir, 'ca.key'), await readFile(join(dir, 'server.key'))),
      /do not belong together/,
    ],
    [
      'that is none',
      async (dir) => {
        await writeFile(join(dir, 'ca.crt'), await readFile(join(dir, 'server.crt')));
        await writeFile(join(dir, 'ca.key'), await readFile(join(dir, 'server.key')));
      },
      /hold no certificate authority/,
    ],
  ];
  for (const [name, spoil, told] of broken) {
    test(`a CA ${name} is told and left as it is`, async () => {
      const dir = await mkdtemp(join(folder, 'broken-'));
      await init(dir);
      await spoil(dir);
      const server = await readFile(join(dir, 'server.crt'), 'utf8');
      const { exit, err } = await init(dir, '--force');
      equal(exit, 6);
      match(err, told);
      equal(await readFile(join(dir, 'server.crt'), 'utf8'), server);
    });
  }

  test('a CA that has expired signs nothing', async () => {
    await init('expired');
    const pair = { cert: await read('expired', 'ca.crt'), key: await read('expired', 'ca.key') };
    equal(authorityProblem(pair, new Date()), undefined);
    equal(
      authorityProblem(pair, new Date(Date.now() + 3651 * dayMs)),
      'hold an authority that has expired',
    );
  });

  const refused: readonly (readonly string[])[] = [
    ['--host', 'https://registry.example'],
    ['--host', 'registry.example:5000'],
    ['--host', '10.0.0'],
    ['--host', 'under_score.example'],
    ['--host', 'fe80::1%eth0'],
    ['--host', ''],
    ['--days', '0'],
    ['--days', '826'],
    ['--days', '1.5'],
  ];
  for (const options of refused) {
    test(`${options.join(' ')} is refused before anything is written`, async () => {
      const { exit, err } = await init('refused', ...options);
      equal(exit, 2);
      match(err, /^error: .*is invalid/);
      deepEqual((await readdir(folder)).includes('refused'), false);
    });
  }

  test(
    'files that belong to the user who serves stay theirs, and closed to others',
    { skip: process.getuid?.() !== 0 && 'needs root' },
    async () => {
      await init('served');
      const key = join(folder, 'served', 'server.key');
      await chown(key, 1234, 1235);
      equal((await init('served', '--force')).exit, 0);
      const { uid, gid, mode } = await stat(key);
      deepEqual([uid, gid, mode & 0o777], [1234, 1235, 0o600]);
      equal((await stat(join(folder, 'served', 'server.crt'))).uid, 0);
    },
  );

  test('a folder that is a file is told', async () => {
    await mkdir(join(folder, 'taken'));
    await writeFile(join(folder, 'taken', 'file'), '');
    const { exit, err } = await init('taken/file');
    equal(exit, 1);
    match(err, /^error: .*EEXIST/);
  });
});
