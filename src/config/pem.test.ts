import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { certificateHolder } from './account-in-secret.ts';
import type { Config } from './config.ts';
import { ConfigError, formatProblem } from './config-error.ts';
import { readConfig } from './load.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-pem-'));
after(() => rmSync(folder, { recursive: true }));

const openssl = 'openssl';

/** Keys are made at each run: none is kept in the repository. */
function makeCertificates(): string | false {
  try {
    for (const name of ['one', 'two']) {
      const key = [
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        `${name}.key`,
      ];
      const request = ['req', '-x509', '-subj', `/CN=${name}`, '-days', '2', '-out', `${name}.crt`];
      execFileSync(openssl, [...request, ...key], { cwd: folder, stdio: 'pipe' });
    }
    for (const [name, subject] of [
      ['one-renewed', '/CN=one'],
      ['nobody', '/'],
      ['nobody-else', '/'],
    ] as const) {
      const signed = ['-key', 'one.key', '-days', '9', '-out', `${name}.crt`];
      execFileSync(openssl, ['req', '-x509', '-subj', subject, ...signed], {
        cwd: folder,
        stdio: 'pipe',
      });
    }
    const locked = ['ec', '-in', 'one.key', '-aes128', '-passout', 'pass:x', '-out', 'locked.key'];
    execFileSync(openssl, locked, { cwd: folder, stdio: 'pipe' });
    const bundle = ['one.crt', 'two.crt'].map((name) => readFileSync(join(folder, name), 'utf8'));
    writeFileSync(join(folder, 'bundle.crt'), `# both\n${bundle.join('')}`);
    writeFileSync(
      join(folder, 'broken.crt'),
      `${bundle[0]}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    );
    writeFileSync(join(folder, 'page.html'), '<html>');
    return false;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return 'openssl is not installed';
    throw error;
  }
}

const skip = makeCertificates();

async function load(text: string): Promise<Config> {
  writeFileSync(join(folder, 'c.yaml'), text);
  return (await readConfig({ file: 'c.yaml', cwd: folder, env: {} })).config;
}

function ruled(more: string): string {
  return `rules:\n  - {prefix: a, upstream: b.corp, ${more}}`;
}

test("a rule's certificates are read when the configuration is", { skip }, async () => {
  const text = ruled('caFile: bundle.crt, clientCert: {certFile: one.crt, keyFile: one.key}');
  const [rule] = (await load(text)).rules;
  assert.equal(rule?.ca, readFileSync(join(folder, 'bundle.crt'), 'utf8'));
  assert.equal(rule.clientCert?.cert, readFileSync(join(folder, 'one.crt'), 'utf8'));
  assert.equal(rule.clientCert.key, readFileSync(join(folder, 'one.key'), 'utf8'));
});

test(
  'what a client certificate fetched is not for everyone, unless the rule says so',
  { skip },
  async () => {
    const pair = 'clientCert: {certFile: one.crt, keyFile: one.key}';
    for (const [more, open] of [
      [pair, false],
      [`anonymousPull: true, ${pair}`, true],
    ] as const)
      assert.equal((await load(ruled(more))).rules[0]?.anonymousPull, open);
  },
);

test('a renewed client certificate has the same holder, another one has another', { skip }, () => {
  const holder = (name: string): string =>
    certificateHolder(readFileSync(join(folder, `${name}.crt`), 'utf8'));
  assert.equal(holder('one'), holder('one-renewed'));
  const others = ['two', 'nobody', 'nobody-else'].map(holder);
  assert.equal(new Set([holder('one'), ...others]).size, 4);
});

test("the listener's certificate is named by absolute paths", { skip }, async () => {
  const { tls } = await load('tls: {certFile: one.crt, keyFile: one.key}');
  assert.deepEqual(tls, { certFile: join(folder, 'one.crt'), keyFile: join(folder, 'one.key') });
});

const wrong: readonly (readonly [string, string])[] = [
  [ruled('caFile: none.crt'), 'c.yaml:2:43: rules[0].caFile: the file none.crt does not exist'],
  [
    ruled('caFile: page.html'),
    'c.yaml:2:43: rules[0].caFile: the file page.html holds no PEM certificate',
  ],
  [
    ruled('caFile: one.key'),
    'c.yaml:2:43: rules[0].caFile: the file one.key holds no PEM certificate',
  ],
  [
    ruled('caFile: broken.crt'),
    'c.yaml:2:43: rules[0].caFile: the file broken.crt holds no usable PEM of this kind (a key must not be encrypted)',
  ],
  [
    ruled('clientCert: {certFile: one.crt, keyFile: two.key}'),
    'c.yaml:2:76: rules[0].clientCert.keyFile: the file two.key holds the key of another certificate',
  ],
  [
    'tls: {certFile: one.crt, keyFile: locked.key}',
    'c.yaml:1:35: tls.keyFile: the file locked.key holds no usable PEM of this kind (a key must not be encrypted)',
  ],
  [
    'tls: {certFile: one.crt, keyFile: two.key}',
    'c.yaml:1:35: tls.keyFile: the file two.key holds the key of another certificate',
  ],
];
for (const [text, expected] of wrong) {
  test(`${JSON.stringify(text)} is refused`, { skip }, async () => {
    await assert.rejects(load(text), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => formatProblem(problem).replace(`${folder}/`, '')),
        [expected],
      );
      return true;
    });
  });
}
