import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { until } from '../../../tests/support/rigs/until.ts';
import type { ClusterFailure } from './cluster-failure.ts';
import type { ExecCredential } from './exec-plugin.ts';
import { runPlugin } from './exec-plugin.ts';
import type { ClusterTarget } from './target.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-plugin-'));
after(() => rmSync(folder, { recursive: true }));

const apiVersion = 'client.authentication.k8s.io/v1';
const target: ClusterTarget = {
  context: 'prod',
  server: new URL('https://prod.example:6443'),
  ca: 'PEM',
  insecure: false,
  serverName: undefined,
  proxyUrl: undefined,
  namespace: undefined,
  user: { fields: { where: 'users[0].user', values: {} }, folder },
};

function run(
  script: string,
  exec: object = {},
  options: { readonly deadlineMs?: number; readonly signal?: AbortSignal } = {},
): Promise<ExecCredential> {
  const values = { apiVersion, command: 'sh', args: ['-c', script], ...exec };
  return runPlugin(
    { where: 'users[0].user.exec', values },
    target,
    { env: process.env, interactive: false, deadlineMs: options.deadlineMs ?? 20_000 },
    options.signal ?? new AbortController().signal,
  );
}

const credential = (status: object, version = apiVersion): string =>
  `echo '${JSON.stringify({ apiVersion: version, kind: 'ExecCredential', status })}'`;

const refused: readonly {
  readonly that: string;
  readonly script?: string;
  readonly exec?: object;
  readonly is: RegExp;
  readonly hint?: RegExp;
}[] = [
  {
    that: 'A plugin that is not there says how it is installed.',
    exec: { command: 'no-such-plugin', installHint: 'get it at example.com' },
    is: /no-such-plugin of context prod is not there/,
    hint: /get it at example\.com/,
  },
  {
    that: 'What it says on stderr is told.',
    script: 'echo "you are logged out" >&2; exit 3',
    is: /sh of context prod ended with 3/,
  },
  {
    that: 'What is no JSON is not printed.',
    script: 'echo secret-token',
    is: /printed no JSON/,
  },
  {
    that: 'JSON of another kind is refused.',
    script: `echo '{"kind":"Pod"}'`,
    is: /printed no ExecCredential/,
  },
  {
    that: 'Another version is refused.',
    script: credential({ token: 'secret-token' }, 'client.authentication.k8s.io/v1beta1'),
    is: /another version/,
  },
  {
    that: 'A certificate without its key is refused.',
    script: credential({ clientCertificateData: 'x' }),
    is: /neither a token nor a client certificate/,
  },
  {
    that: 'A version that no plugin speaks any more is refused.',
    exec: { apiVersion: 'client.authentication.k8s.io/v1alpha1' },
    is: /apiVersion is not client\.authentication/,
  },
  {
    that: 'A plugin that wants a terminal is told so.',
    exec: { interactiveMode: 'Always' },
    is: /wants a terminal/,
  },
  {
    that: 'One that prints without end is stopped.',
    script: 'yes secret-token',
    is: /printed more than 1 MiB/,
  },
];

for (const { that, script = 'true', exec, is, hint = /./ } of refused)
  test(that, async () => {
    await assert.rejects(run(script, exec), (error: ClusterFailure) => {
      assert.match(error.message, is);
      assert.match(error.hint, hint);
      assert.doesNotMatch(`${error.message} ${error.because} ${error.hint}`, /secret-token/);
      return true;
    });
  });

test('A plugin that hangs is killed with all that it started, and the error names it.', async () => {
  const pidFile = join(folder, 'pid');
  const script = `sleep 1000 & echo $! > ${pidFile}; wait`;
  await assert.rejects(run(script, {}, { deadlineMs: 500 }), /did not end within 0\.5 s/);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await until(() => !existsSync(`/proc/${pid}`) || isZombie(pid), 'what it started has ended');
});

test('Ctrl-C ends it.', async () => {
  const interruption = new AbortController();
  const found = run('sleep 1000', {}, { signal: interruption.signal });
  interruption.abort();
  await assert.rejects(found, { name: 'AbortError' });
});

function isZombie(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}

test('Token and expiry are read; the plugin is told of the cluster and gets its own variables.', async () => {
  const infoFile = join(folder, 'info');
  const script = `printf %s "$KUBERNETES_EXEC_INFO" > ${infoFile}; ${credential({
    token: 'TOKEN',
    expirationTimestamp: '2030-01-01T00:00:00Z',
  }).replace('TOKEN', `'"$OWN"'`)}`;
  const found = await run(script, {
    env: [{ name: 'OWN', value: 'mine' }],
    provideClusterInfo: true,
  });
  assert.deepEqual(found, {
    token: 'mine',
    cert: undefined,
    key: undefined,
    expiresAt: Date.UTC(2030, 0, 1),
  });
  assert.deepEqual(JSON.parse(readFileSync(infoFile, 'utf8')), {
    apiVersion,
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      cluster: {
        server: 'https://prod.example:6443',
        'certificate-authority-data': Buffer.from('PEM').toString('base64'),
      },
    },
  });
});

test('A command with a slash counts from the folder of its kubeconfig.', async () => {
  const path = join(folder, 'own-plugin');
  writeFileSync(path, `#!/bin/sh\n${credential({ token: 'from-a-path' })}\n`);
  chmodSync(path, 0o755);
  assert.equal((await run('', { command: './own-plugin', args: [] })).token, 'from-a-path');
});
