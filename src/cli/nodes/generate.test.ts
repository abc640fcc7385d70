import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { EndedCommand } from '../../../tests/support/rigs/run-command-line.ts';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';
import type { ServedFolder } from '../../../tests/support/processes/served-folder.ts';
import { serveFolder } from '../../../tests/support/processes/served-folder.ts';
import { createTestAuthority } from '../../../tests/support/samples/certificates.ts';
import { mayImport } from './node-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-nodes-'));
after(() => rmSync(folder, { recursive: true }));

async function generate(words: readonly string[], input = ''): Promise<EndedCommand> {
  return runCommandLine(['nodes', 'generate', ...words], { input, cwd: folder });
}

const host = ['--registry-host', 'cache.example.com:5000'];
const header = 'Basic QUtJQTpzM2NyZXQ=';
let authority = '';

before(async () => {
  authority = (await createTestAuthority()).ca;
  writeFileSync(join(folder, 'ca.crt'), authority);
  writeFileSync(join(folder, 'nodes.key'), 'AKIA:s3cret\n');
  writeFileSync(
    join(folder, 'hub.yaml'),
    'registryHost: cache.example.com:5000\nrules:\n  - {prefix: docker.io, upstream: docker.io}\n',
  );
  writeFileSync(
    join(folder, 'two.yaml'),
    'registryHost: cache.example.com:5000\nrules:\n  - {prefix: docker.io, upstream: docker.io}\n  - {prefix: etcd, upstream: quay.io, upstreamPrefix: coreos}\nreplaces: [111122223333.dkr.ecr.eu-west-2.amazonaws.com]\n',
  );
});

/** The text of each file that is printed, by its path. */
function printed(out: string): Readonly<Record<string, string>> {
  const parts = out.split(/^# ==> /m).slice(1);
  return Object.fromEntries(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end + 1).replace(/\n\n$/, '\n')];
    }),
  );
}

suite('containerd', () => {
  const certs = '/etc/containerd/certs.d';
  const keyed = [
    'containerd',
    '--mapping',
    'two.yaml',
    '--ca',
    'ca.crt',
    '--key-file',
    'nodes.key',
  ];

  test('A hosts.toml for each host that a rule leads to, and for its other names; the key goes to the registry alone.', async () => {
    const { exit, out } = await generate(keyed);
    const files = printed(out);
    assert.equal(exit, 0);
    assert.deepEqual(Object.keys(files), [
      `${certs}/breakwater-ca.pem`,
      `${certs}/docker.io/hosts.toml`,
      `${certs}/index.docker.io/hosts.toml`,
      `${certs}/quay.io/hosts.toml`,
      `${certs}/registry-1.docker.io/hosts.toml`,
      `${certs}/registry.hub.docker.com/hosts.toml`,
      `${certs}/cache.example.com:5000/hosts.toml`,
      '/etc/containerd/conf.d/50-breakwater.toml',
    ]);
    assert.equal(files[`${certs}/breakwater-ca.pem`], authority);
    assert.equal(
      files[`${certs}/quay.io/hosts.toml`],
      `[host."https://cache.example.com:5000"]
  capabilities = ["pull", "resolve"]
  ca = "${certs}/breakwater-ca.pem"
  [host."https://cache.example.com:5000".header]
  Authorization = ["${header}"]
`.replace('  Authorization', '    Authorization'),
    );
    // Where images are named by the registry itself the pods' own secrets are asked for.
    assert.equal(
      files[`${certs}/cache.example.com:5000/hosts.toml`],
      `server = "https://cache.example.com:5000"\nca = "${certs}/breakwater-ca.pem"\n`,
    );
  });

  const forms: readonly (readonly [string, readonly string[], string, string])[] = [
    [
      '--no-fallback makes the registry the server of the host',
      ['--no-fallback'],
      `${certs}/docker.io/hosts.toml`,
      `server = "https://cache.example.com:5000"\ncapabilities = ["pull", "resolve"]\nca = "${certs}/breakwater-ca.pem"\n[header]\nAuthorization = ["${header}"]\n`,
    ],
    [
      'containerd 1 has another schema',
      ['--containerd', '1'],
      '/etc/containerd/conf.d/50-breakwater.toml',
      `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${certs}"\n`,
    ],
    [
      'containerd 2 looks into one folder',
      ['--hosts-dir', '/opt/certs.d/'],
      '/etc/containerd/conf.d/50-breakwater.toml',
      'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "/opt/certs.d"\n',
    ],
  ];
  for (const [that, words, path, text] of forms)
    test(`${that}.`, async () => {
      const { out } = await generate([...keyed, ...words]);
      assert.equal(printed(out)[path]?.replaceAll(/^#.*\n/gm, ''), text);
    });

  test('--path-style names the path in the URL of the mirror.', async () => {
    const { out } = await generate(['containerd', ...host, '--path-style']);
    assert.equal(
      printed(out)[`${certs}/k8s.gcr.io/hosts.toml`],
      '[host."https://cache.example.com:5000/v2/registry.k8s.io"]\n  capabilities = ["pull", "resolve"]\n  override_path = true\n',
    );
  });

  test('Plain HTTP is written where it is asked for, and for the registry’s own name.', async () => {
    const { out } = await generate(['containerd', ...host, '--plain-http']);
    const files = printed(out);
    assert.match(files[`${certs}/gcr.io/hosts.toml`] ?? '', /^\[host\."http:\/\/cache/);
    assert.equal(
      files[`${certs}/cache.example.com:5000/hosts.toml`],
      'server = "http://cache.example.com:5000"\n',
    );
  });

  test('Without the fallback it says what can’t be pulled any more.', async () => {
    const { err } = await generate([...keyed, '--no-fallback']);
    assert.match(err, /names that no rule leads to can't be pulled from quay\.io\n/);
    assert.doesNotMatch((await generate(keyed)).err, /fallback/);
  });

  test('A key may come from stdin.', async () => {
    const { out } = await generate(['containerd', ...host, '--key-file', '-'], 'AKIA:s3cret');
    assert.ok(out.includes(header));
  });
});

/** The rules of `two.yaml`, one with a path; the CA and a key. */
const plain = ['--mapping', 'two.yaml', '--ca', 'ca.crt'];
const registries = '/etc/containers/registries.conf.d/50-breakwater.conf';
const keyed = [...plain, '--key-file', 'nodes.key'];

const texts: readonly (readonly [string, readonly string[], string, string | RegExp])[] = [
  [
    'crio: a path of its own, and nothing for the rest of its host',
    ['crio', ...keyed],
    registries,
    /prefix = "quay\.io\/coreos"\nlocation = "quay\.io\/coreos"\n\[\[registry\.mirror\]\]\nlocation = "cache\.example\.com:5000\/etcd"\n\n/,
  ],
  [
    'crio: a registry whose place is taken is known by its paths',
    ['crio', ...keyed],
    registries,
    /prefix = "111122223333\.dkr\.ecr\.eu-west-2\.amazonaws\.com"\n.*\n.*\nlocation = "cache\.example\.com:5000"\n/,
  ],
  [
    'crio: without the fallback the registry stands in the place of the host',
    ['crio', ...keyed, '--no-fallback'],
    registries,
    /prefix = "docker\.io"\nlocation = "cache\.example\.com:5000\/docker\.io"\n\n/,
  ],
  [
    'crio: it is told where the key is',
    ['crio', ...keyed],
    '/etc/crio/crio.conf.d/50-breakwater.conf',
    '[crio.image]\nglobal_auth_file = "/etc/crio/breakwater-auth.json"\n',
  ],
  [
    'podman: the key is for the paths of mirrors',
    ['podman', '--mapping', 'hub.yaml', '--key-file', 'nodes.key'],
    '/etc/containers/breakwater-auth.json',
    `{\n  "auths": {\n    "cache.example.com:5000/docker.io": {\n      "auth": "QUtJQTpzM2NyZXQ="\n    }\n  }\n}\n`,
  ],
  [
    'podman: plain HTTP is said of mirrors and of the registry',
    ['podman', '--mapping', 'hub.yaml', '--plain-http'],
    registries,
    /^\[\[registry\]\]\nprefix = "cache\.example\.com:5000"\nlocation = "cache\.example\.com:5000"\ninsecure = true\n\n.*\n.*\n.*\n\[\[registry\.mirror\]\]\nlocation = "cache\.example\.com:5000\/docker\.io"\ninsecure = true\n/,
  ],
  [
    'k3s: each host by name, the CA and the key',
    ['k3s', ...keyed],
    '/etc/rancher/k3s/registries.yaml',
    `mirrors:
  docker.io:
    endpoint:
      - https://cache.example.com:5000
  index.docker.io:
    endpoint:
      - https://cache.example.com:5000
  quay.io:
    endpoint:
      - https://cache.example.com:5000
  registry-1.docker.io:
    endpoint:
      - https://cache.example.com:5000
  registry.hub.docker.com:
    endpoint:
      - https://cache.example.com:5000
configs:
  cache.example.com:5000:
    tls:
      ca_file: /etc/rancher/k3s/breakwater-ca.pem
    auth:
      username: AKIA
      password: s3cret
`,
  ],
  [
    'rke2: without the fallback',
    ['rke2', ...keyed, '--no-fallback'],
    '/etc/rancher/rke2/config.yaml.d/50-breakwater.yaml',
    'disable-default-registry-endpoint: true\n',
  ],
  [
    'docker: Docker Hub by its mirror',
    ['docker', ...plain, '--hub-mirror', 'http://cache.example.com:5002'],
    '/etc/docker/daemon.json',
    '{\n  "registry-mirrors": [\n    "http://cache.example.com:5002"\n  ]\n}\n',
  ],
  [
    'buildkit: a mirror for each host, and the CA',
    ['buildkit', '--mapping', 'hub.yaml', '--ca', 'ca.crt'],
    '/etc/buildkit/buildkitd.toml',
    /^\[registry\."docker\.io"\]\n {2}mirrors = \["cache\.example\.com:5000"\]\n[\s\S]*\[registry\."cache\.example\.com:5000"\]\n {2}http = false\n {2}ca = \["\/etc\/buildkit\/breakwater-ca\.pem"\]\n$/,
  ],
];
for (const [that, words, path, is] of texts)
  test(`${that}.`, async () => {
    const { out, err } = await generate(words);
    const text = printed(out)[path];
    assert.ok(text !== undefined, `${Object.keys(printed(out)).join()} ${err}`);
    if (typeof is === 'string') assert.equal(text, is);
    else assert.match(text, is);
  });

const asked: readonly (readonly [string, string, string | undefined])[] = [
  ['an image of the registry', 'cache.example.com:5000/team/app:1', 'a.b-c_d.e'],
  ['an image of another host', 'docker.io/library/nginx', undefined],
  ['a host that begins alike', 'cache.example.com:50000/a', undefined],
  ['what would be more of the answer', 'cache.example.com:5000/a","auth":{"x', undefined],
];
for (const [that, image, token] of asked)
  test(`The credential plugin, asked for ${that}.`, async () => {
    const { out } = await generate(['credential-provider', ...host]);
    const plugin = printed(out)['/etc/kubernetes/credential-providers/breakwater-credentials'];
    const request = {
      kind: 'CredentialProviderRequest',
      apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
      image,
      serviceAccountToken: 'a.b-c_d.e',
    };
    const file = join(folder, 'plugin');
    writeFileSync(file, plugin ?? '');
    const said = execFileSync('sh', [file], { input: JSON.stringify(request), encoding: 'utf8' });
    const { kind, auth } = JSON.parse(said) as { readonly kind: string; readonly auth?: unknown };
    assert.equal(kind, 'CredentialProviderResponse');
    const pair = { username: 'serviceaccount', password: token };
    assert.deepEqual(auth, token === undefined ? undefined : { 'cache.example.com:5000': pair });
  });

test('Where the CA goes, of each format.', async () => {
  const places: Record<string, string> = {};
  for (const name of ['crio', 'k3s', 'docker', 'buildkit']) {
    const hub = name === 'docker' ? ['--hub-mirror', 'https://cache.example.com:5002'] : [];
    const files = printed((await generate([name, ...plain, ...hub])).out);
    const own = Object.keys(files).filter((path) => files[path] === authority);
    places[name] = own.join(' ');
  }
  assert.deepEqual(places, {
    crio: '/etc/containers/certs.d/cache.example.com:5000/ca.crt',
    k3s: '/etc/rancher/k3s/breakwater-ca.pem',
    docker:
      '/etc/docker/certs.d/cache.example.com:5000/ca.crt /etc/docker/certs.d/cache.example.com:5002/ca.crt',
    buildkit: '/etc/buildkit/breakwater-ca.pem',
  });
});

suite('Files', () => {
  const words = (out: string, ...more: readonly string[]): readonly string[] => [
    'containerd',
    '--mapping',
    'two.yaml',
    '--key-file',
    'nodes.key',
    '--out',
    out,
    ...more,
  ];
  const hub = (out: string): string => join(folder, out, 'etc/containerd/certs.d/docker.io');

  test('They stand in the folder as on the node; one with a key is closed to others.', async () => {
    const { exit, out, err } = await generate(words('node'));
    assert.deepEqual([exit, out], [0, '']);
    assert.match(err, /wrote .*node\/etc\/containerd\/certs\.d\/docker\.io\/hosts\.toml\n/);
    assert.deepEqual(readdirSync(hub('node')), ['hosts.toml']);
    assert.equal(statSync(join(hub('node'), 'hosts.toml')).mode & 0o777, 0o600);
    const config = join(folder, 'node/etc/containerd/conf.d/50-breakwater.toml');
    assert.equal(statSync(config).mode & 0o777, 0o644);
    assert.equal((await generate(words('node'))).exit, 0, 'the same files are no others');
    assert.equal((await generate(words('node', '--check'))).exit, 0);
  });

  test('Another file is not written over, and none beside it either, but with --replace.', async () => {
    await generate(words('other'));
    const file = join(hub('other'), 'hosts.toml');
    writeFileSync(file, '# mine\n');
    rmSync(join(folder, 'other/etc/containerd/certs.d/quay.io'), { recursive: true });
    const refused = await generate(words('other'));
    assert.equal(refused.exit, 6);
    assert.match(refused.err, /docker\.io\/hosts\.toml exists and is another\nhint: --replace/);
    assert.equal(readFileSync(file, 'utf8'), '# mine\n');
    assert.ok(!existsSync(join(folder, 'other/etc/containerd/certs.d/quay.io')));
    const checked = await generate(words('other', '--check'));
    assert.equal(checked.exit, 10);
    assert.match(checked.err, /docker\.io\/hosts\.toml: would be another now\n/);
    assert.match(checked.err, /quay\.io\/hosts\.toml: is not there\n/);
    assert.equal((await generate(words('other', '--replace'))).exit, 0);
    assert.equal((await generate(words('other', '--check'))).exit, 0);
  });
});

const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['a format that is none', ['docker-swarm', ...host], /choices? .*containerd/i],
  ['two keys', ['--robot', 'a', '--key-file', 'nodes.key'], /--robot makes a key, and --key-file/],
  ['a key that is none', ['--key-file', 'two.yaml'], /it holds no key\nhint: one line, ID:SECRET/],
  ['a CA that is none', ['--ca', 'two.yaml'], /two\.yaml holds no certificate/],
  ['a CA for plain HTTP', ['--ca', 'ca.crt', '--plain-http'], /plain HTTP has no certificate/],
  ['--check of nothing', ['--check'], /--check compares files, and none are named/],
  ['--check with --robot', ['--check', '--out', 'x', '--robot', 'a'], /another key for each check/],
  ['two folders', ['--hosts-dir', '/a:/b'], /not one absolute path/],
  ['a robot where no server is asked', ['--robot', 'a'], /makes a key on the server, and none/],
  [
    'a key for Docker',
    ['docker', ...host, '--key-file', 'nodes.key'],
    /docker has no key in its files\nhint: it has no place for one/,
  ],
  ['a key for BuildKit', ['buildkit', ...host, '--robot', 'a'], /its clients bring one/],
  [
    'Docker alone',
    ['docker', ...host, '--no-fallback'],
    /docker can't be told to leave the upstream/,
  ],
  [
    'Docker without the mirror',
    ['docker', ...host],
    /set hubMirrorListen on the server, and name it/,
  ],
  [
    'a mirror with a path',
    ['docker', ...host, '--hub-mirror', 'http://a/b'],
    /not an address: http:\/\/a\/b/,
  ],
  [
    'a mirror of Docker Hub for others',
    ['crio', ...host, '--hub-mirror', 'http://a'],
    /is for docker/,
  ],
  ['paths for others', ['k3s', ...host, '--path-style'], /--path-style is for containerd/],
  [
    'a path that can’t say it all',
    ['containerd', '--mapping', 'two.yaml', '--path-style'],
    /--path-style: names at quay\.io lead to several places/,
  ],
];
for (const [that, words, is] of refusals)
  test(`Refused: ${that}.`, async () => {
    const all = words[0]?.startsWith('--') === true ? ['containerd', ...host, ...words] : words;
    const { exit, out, err } = await generate(all);
    assert.deepEqual([exit, out], [2, '']);
    assert.match(err, is);
  });

test('A file with a private key is not taken for the CA.', async () => {
  const marker = ['-----BEGIN', 'PRIVATE KEY-----'].join(' ');
  writeFileSync(join(folder, 'both.pem'), `${authority}${marker}\n`);
  const { err } = await generate(['containerd', ...host, '--ca', 'both.pem']);
  assert.match(err, /both\.pem holds a private key/);
});

test('The robot’s policy is the one that the documentation names.', () => {
  const file = new URL('../../../examples/policies/nodes-may-import.json', import.meta.url);
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), mayImport);
});

suite('A configuration', () => {
  const at = (setting: string): readonly string[] => {
    writeFileSync(
      join(folder, 'cache.yaml'),
      `publicUrl: https://cache.corp\ndataDir: none\n${setting}`,
    );
    return ['containerd', '--config', 'cache.yaml'];
  };
  for (const setting of ['', 'anonymousImport: loopback\n', 'anonymousImport: false\n'])
    test(`Nodes need a key with: ${setting.trim() || 'nothing said'}.`, async () => {
      const { exit, out, err } = await generate(at(setting));
      assert.deepEqual([exit, out], [6, '']);
      assert.match(
        err,
        /nodes without a key would be refused what is new\ncause: anonymousImport is (?:loopback|false);/,
      );
      assert.equal((await generate([...at(setting), '--key-file', 'nodes.key'])).exit, 0);
    });

  test('Nodes need none where the registry is on each of them.', async () => {
    const words = [...at('anonymousImport: loopback\n'), '--registry-host', '127.0.0.1:5000'];
    assert.equal((await generate([...words, '--force'])).exit, 0);
    const closed = [...at('anonymousImport: false\n'), ...words.slice(3), '--force'];
    assert.equal((await generate(closed)).exit, 6);
  });

  test('Nodes need none where everybody may.', async () => {
    const { exit, err } = await generate(at('anonymousImport: true\n'));
    assert.deepEqual([exit, err], [0, 'by the rules of cache.yaml\n']);
  });
});

suite('A server that runs', () => {
  const asked: string[] = [];
  let denies: (host: string, as: string) => number | undefined = () => undefined;
  let robotThere = false;
  const rule = { prefix: 'docker.io', origin: 'file', upstream: 'https://registry-1.docker.io' };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    const path = url.pathname.replace('/api/v1/', '');
    const { method = '' } = request;
    const as = url.searchParams.get('as') ?? '';
    const image = url.searchParams.get('image') ?? '';
    asked.push(`${method} ${path}${as && ` ${as}`}`);
    let [status, body]: [number, unknown] = [200, {}];
    if (path === 'rules')
      body = {
        items: [{ ...rule, upstreamPrefix: '', credential: null, shadowedBy: null }],
        next: null,
      };
    if (path === 'explain') {
      const refused = denies(image.split('/')[0] ?? '', as);
      const text = refused === undefined ? 'fetched' : 'not held, and anonymousImport is loopback';
      body = { callers: [{ as, from: '192.0.2.1', status: refused ?? 200, text }] };
    }
    if (path === 'users' && robotThere)
      [status, body] = [409, { detail: 'there is one', code: 'EXISTS', status: 409 }];
    if (path === 'access-keys') body = { accessKeyId: 'AKIA', secretAccessKey: 's3cret' };
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    response.writeHead(status, { 'content-type': type });
    request.resume().on('end', () => response.end(JSON.stringify(body)));
  });
  const dataDir = join(folder, 'data');
  const words = ['containerd', '--data-dir', dataDir];
  let served: ServedFolder;
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    served = await serveFolder(dataDir, 'AKIATEST:s3cret');
    await served.record({
      listen: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      publicUrl: 'https://cache.corp',
    });
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await served[Symbol.asyncDispose]();
  });

  test('It stops where nodes without a key would be refused everything, in the server’s words.', async () => {
    denies = () => 401;
    const { exit, out, err } = await generate(words);
    assert.deepEqual([exit, out], [6, '']);
    assert.match(
      err,
      /cause: not held, and anonymousImport is loopback; a node would go to the upstream itself/,
    );
  });

  test('It names the hosts that are not for nodes without a key, and goes on.', async () => {
    denies = (each) => (each === 'index.docker.io' ? 401 : undefined);
    const { exit, err } = await generate(words);
    assert.equal(exit, 0);
    assert.match(err, /not for nodes without a key: index\.docker\.io\n/);
  });

  test('--robot makes it, lets it import, asks whether it may, and makes its key.', async () => {
    [denies, robotThere] = [(_, as) => (as === 'nodes' ? undefined : 401), false];
    asked.length = 0;
    const { out } = await generate([...words, '--robot', 'nodes']);
    assert.ok(out.includes(header));
    assert.deepEqual(
      asked.filter((each, index) => each !== asked[index - 1]),
      ['GET rules', 'POST users', 'PUT identity-policies', 'GET explain nodes', 'POST access-keys'],
    );
  });

  test('A robot that is there keeps what it may, and gets no key where that is not enough.', async () => {
    [denies, robotThere] = [() => 404, true];
    asked.length = 0;
    const { exit, err } = await generate([...words, '--robot', 'nodes']);
    assert.equal(exit, 6);
    assert.match(err, /nodes may not have images fetched from docker\.io, /);
    assert.match(err, /hint: let it: breakwater policy set --user nodes /);
    assert.ok(!asked.some((each) => /identity-policies|access-keys/.test(each)), asked.join());
  });

  test('No key is made where a file is in the way.', async () => {
    [denies, robotThere] = [() => undefined, false];
    await generate([
      'containerd',
      '--data-dir',
      dataDir,
      '--out',
      'full',
      '--key-file',
      'nodes.key',
    ]);
    const file = join(folder, 'full/etc/containerd/certs.d/docker.io/hosts.toml');
    writeFileSync(file, '# mine\n');
    asked.length = 0;
    const { exit } = await generate([...words, '--out', 'full', '--robot', 'nodes']);
    assert.equal(exit, 6);
    assert.deepEqual([...new Set(asked)], ['GET rules']);
  });
});
