import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import type { TargetOptions } from './find-target.ts';
import type { ClusterFailure } from './cluster-failure.ts';
import { findTarget } from './find-target.ts';
import { shownAddress } from './target.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-kubeconfig-'));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'home', '.kube'), { recursive: true });
mkdirSync(join(folder, 'account'));
const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

let files = 0;
/** Writes a kubeconfig and answers its path. */
function file(text: string): string {
  files += 1;
  const path = join(folder, `config-${files}`);
  writeFileSync(path, text);
  return path;
}

const one = `
apiVersion: v1
kind: Config
current-context: one
clusters: [{name: c, cluster: {server: "https://one.example:6443/"}}]
users: [{name: u, user: {token: secret-of-one}}]
contexts: [{name: one, context: {cluster: c, user: u, namespace: team}}]
`;
const two = `
current-context: two
clusters:
- {name: c, cluster: {server: "https://other.example"}}
- {name: d, cluster: {server: "https://two.example/k8s/clusters/c-1/", insecure-skip-tls-verify: true}}
users: [{name: v, user: {}}]
contexts: [{name: two, context: {cluster: d, user: v}}, {name: crossed, context: {cluster: c, user: v}}]
`;

interface Row {
  readonly that: string;
  readonly options?: TargetOptions;
  readonly env?: NodeJS.ProcessEnv;
  readonly home?: string;
  readonly account?: string;
  /** `context server namespace`, or a part of the error. */
  readonly is: string | RegExp;
}

const paths = { one: file(one), two: file(two) };
const both = [paths.one, join(folder, 'not-there'), paths.two].join(delimiter);
const pod = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };

const rows: readonly Row[] = [
  {
    that: '--kubeconfig names one file, and its current context counts.',
    options: { kubeconfig: paths.one },
    env: { KUBECONFIG: paths.two },
    is: 'one https://one.example:6443/ team',
  },
  {
    that: 'KUBECONFIG names several files: the first current context counts, and one that is not there is none.',
    env: { KUBECONFIG: both },
    is: 'one https://one.example:6443/ team',
  },
  {
    that: '--context finds one of a later file.',
    options: { context: 'two' },
    env: { KUBECONFIG: both },
    is: 'two https://two.example/k8s/clusters/c-1 undefined',
  },
  {
    that: 'Of two clusters of one name that of the first file counts.',
    options: { context: 'crossed' },
    env: { KUBECONFIG: both },
    is: 'crossed https://one.example:6443/ undefined',
  },
  {
    that: 'Without both, ~/.kube/config is read.',
    home: join(folder, 'home'),
    is: 'home https://home.example/ undefined',
  },
  {
    that: 'A pod asks its own cluster, by its service account.',
    env: pod,
    is: 'of this pod https://[fd00::1]/ own',
  },
  {
    that: 'A pod whose account has no certificate asks nobody: nothing would prove the server.',
    env: pod,
    account: 'home',
    is: /no kubeconfig was found/,
  },
  { that: 'Nothing at all is said.', is: /no kubeconfig was found/ },
  {
    that: 'A pod that names a context means a file.',
    options: { context: 'x' },
    env: pod,
    is: /no kubeconfig was found/,
  },
  {
    that: 'A file that is not there is named.',
    options: { kubeconfig: 'gone' },
    is: /gone is not there/,
  },
  {
    that: 'An unknown context is named.',
    options: { kubeconfig: paths.one, context: 'three' },
    is: /config-1 has no context three/,
  },
  {
    that: 'A cluster that is not there is named.',
    options: { kubeconfig: file(one.replace('cluster: c,', 'cluster: e,')) },
    is: /has no cluster e, which context one names/,
  },
  {
    that: 'A user that is not there is named.',
    options: { kubeconfig: file(one.replace('user: u,', 'user: w,')) },
    is: /has no user w, which context one names/,
  },
  {
    that: 'No current context is said.',
    options: { kubeconfig: file(one.replace('current-context: one', '')) },
    is: /names no current context/,
  },
  {
    that: 'What is no YAML is told by line and column.',
    options: { kubeconfig: file('clusters: [\n  {') },
    is: /config-\d+:2:\d+ is no YAML/,
  },
  {
    that: 'A list of aliases that grow without end is refused.',
    options: {
      kubeconfig: file(
        `a: &a [${'x,'.repeat(10)}]\n${'bcdefghij'
          .split('')
          .map(
            (name, index) => `${name}: &${name} [${`*${'abcdefghij'[index] ?? ''},`.repeat(10)}]`,
          )
          .join('\n')}\n`,
      ),
    },
    is: /is no kubeconfig/,
  },
  {
    that: 'A password that YAML takes for an alias is not shown.',
    options: { kubeconfig: file(one.replace('token: secret-of-one', 'password: *secret-of-one')) },
    is: /is no kubeconfig/,
  },
  {
    that: 'Nor is a line that is no YAML.',
    options: {
      kubeconfig: file(`users:\n- name: u\n  user:\n    token: |secret-of-one\n`),
    },
    is: /:4:\d+ is no YAML/,
  },
  {
    that: 'A server without a scheme is refused.',
    options: { kubeconfig: file(one.replace('https://one.example:6443/', 'one.example')) },
    is: /clusters\[0\]\.cluster\.server is not an https/,
  },
  {
    that: 'A field of the wrong type is named.',
    options: { kubeconfig: file(one.replace('[{name: u, user: {token: secret-of-one}}]', '{}')) },
    is: /users is not a list/,
  },
  {
    that: 'A SOCKS proxy is refused.',
    options: {
      kubeconfig: file(one.replace('6443/"', '6443/", proxy-url: "socks5://127.0.0.1:1080"')),
    },
    is: /proxy-url is not an http/,
  },
  {
    that: 'A certificate authority beside insecure-skip-tls-verify is refused.',
    options: {
      kubeconfig: file(
        one.replace(
          '6443/"',
          `6443/", insecure-skip-tls-verify: true, certificate-authority-data: ${Buffer.from(pem).toString('base64')}`,
        ),
      ),
    },
    is: /insecure-skip-tls-verify beside it/,
  },
  {
    that: 'A file of a certificate authority that is not there is named.',
    options: { kubeconfig: file(one.replace('6443/"', '6443/", certificate-authority: ca.pem')) },
    is: /certificate-authority names .*ca\.pem, which can't be read/,
  },
];

writeFileSync(
  join(folder, 'home', '.kube', 'config'),
  one.replaceAll('one', 'home').replace(':6443', '').replace(', namespace: team', ''),
);
for (const [name, text] of Object.entries({
  'ca.crt': pem,
  token: 'secret-of-pod',
  namespace: 'own\n',
}))
  writeFileSync(join(folder, 'account', name), text);

for (const { that, options = {}, env = {}, home = folder, account = 'account', is } of rows)
  test(that, async () => {
    const found = findTarget(options, {
      env,
      cwd: folder,
      home,
      accountFolder: join(folder, account),
    });
    if (typeof is !== 'string') {
      await assert.rejects(found, (error: ClusterFailure) => {
        assert.match(error.message, is);
        assert.ok(error.hint.length > 0);
        assert.doesNotMatch(`${error.message} ${error.hint} ${error.because}`, /secret-of/);
        return true;
      });
      return;
    }
    const { context, server, namespace } = await found;
    assert.equal(`${context} ${server.href} ${namespace}`, is);
  });

test('An address is shown without the user and the password in it.', () => {
  const server = new URL('https://admin:secret-of-admin@one.example:6443/k8s/');
  assert.equal(shownAddress({ server }), 'https://one.example:6443/k8s');
});
