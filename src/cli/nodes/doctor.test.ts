import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-nodes-doctor-'));
after(() => rmSync(folder, { recursive: true }));

const good = `[host."https://cache.example.com:5000"]
  capabilities = ["pull", "resolve"]
`;
const config = (path: string, more = ''): string =>
  `version = 3\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "${path}"\n${more}`;
const hub = '/etc/containerd/certs.d/docker.io/hosts.toml';
const sound = { '/etc/containerd/config.toml': config('/etc/containerd/certs.d'), [hub]: good };

let roots = 0;

interface Diagnosis {
  readonly exit: number;
  readonly found: readonly string[];
  readonly err: string;
}

/** What is found in a node with these files, as `FILE:LINE LEVEL PROBLEM`; a path that ends with a slash is a folder. */
async function diagnose(files: Readonly<Record<string, string>>): Promise<Diagnosis> {
  const root = join(folder, `${roots++}`);
  mkdirSync(root);
  for (const [path, text] of Object.entries(files)) {
    const at = join(root, path);
    mkdirSync(path.endsWith('/') ? at : dirname(at), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(at, text);
  }
  const words = ['nodes', 'doctor', '--root', root, '--exit-code', '-o', 'json'];
  const { exit, out, err } = await runCommandLine(words, { cwd: folder });
  const { items } = JSON.parse(out) as {
    readonly items: readonly {
      readonly file: string;
      readonly line?: number;
      readonly level: string;
      readonly problem: string;
    }[];
  };
  const found = items.map(
    ({ file, line, level, problem }) =>
      `${file}${line === undefined ? '' : `:${line}`} ${level} ${problem}`,
  );
  return { exit, found, err: err };
}

const wrong: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  [
    'several folders with a colon between them',
    {
      '/etc/containerd/config.toml': config('/etc/containerd/certs.d:/etc/docker/certs.d'),
      '/etc/docker/certs.d/': '',
    },
    /^\/etc\/containerd\/config\.toml:3 error config_path names several folders: containerd 2 looks into none/,
  ],
  [
    'several folders in a file that is imported',
    {
      '/etc/containerd/config.toml': 'version = 3\nimports = ["conf.d/*.toml"]\n',
      '/etc/containerd/conf.d/99-node.toml': config('/etc/containerd/certs.d:/etc/docker/certs.d'),
      '/etc/docker/certs.d/': '',
    },
    /^\/etc\/containerd\/conf\.d\/99-node\.toml:3 error config_path names several folders/,
  ],
  [
    'no config_path',
    { '/etc/containerd/config.toml': 'version = 3\n' },
    /config\.toml warning no config_path/,
  ],
  [
    'a folder that is not there',
    { '/etc/containerd/config.toml': config('/etc/containerd/none') },
    /^\/etc\/containerd\/none error config_path names it, and it is not there/,
  ],
  [
    'inline mirrors beside config_path',
    {
      '/etc/containerd/config.toml': config(
        '/etc/containerd/certs.d',
        '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n  endpoint = ["https://a"]\n',
      ),
    },
    /config\.toml:4 error registry\.mirrors beside config_path: containerd refuses/,
  ],
  [
    'inline mirrors without config_path',
    {
      '/etc/containerd/config.toml':
        'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors]\n',
    },
    /config\.toml:2 warning registry\.mirrors is deprecated/,
  ],
  [
    'the registry where containerd 1 has it, beside what containerd 2 has',
    {
      '/etc/containerd/config.toml':
        'version = 3\n[plugins."io.containerd.cri.v1.images"]\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n',
    },
    /config\.toml:3 error the registry stands under io\.containerd\.grpc\.v1\.cri/,
  ],
  [
    'an empty folder that hides _default',
    {
      '/etc/containerd/certs.d/_default/hosts.toml': good,
      '/etc/containerd/certs.d/quay.io/': '',
    },
    /^\/etc\/containerd\/certs\.d\/quay\.io error a folder without a hosts\.toml hides _default/,
  ],
  [
    'an empty folder',
    { '/etc/containerd/certs.d/quay.io/': '' },
    /quay\.io warning a folder without a hosts\.toml: its host is asked itself/,
  ],
  [
    'a capability that is none',
    { [hub]: good.replace('"resolve"', '"resolv"') },
    /docker\.io\/hosts\.toml:2 error no capability: resolv; containerd leaves the whole file out/,
  ],
  [
    'capabilities in several lines',
    { [hub]: good.replace('"pull", "resolve"', '\n    "pull", # by digest\n    "fetch",\n  ') },
    /hosts\.toml:2 error no capability: fetch/,
  ],
  [
    'no resolve',
    { [hub]: good.replace(', "resolve"', '') },
    /hosts\.toml:2 warning without resolve the mirror is passed over for tags/,
  ],
  ['no pull', { [hub]: good.replace('"pull", ', '') }, /hosts\.toml:2 warning without pull/],
  [
    'a mirror without a scheme',
    { [hub]: good.replace('https://', '') },
    /hosts\.toml:1 warning cache\.example\.com:5000 has no scheme/,
  ],
  [
    'a server without a scheme',
    { [hub]: `server = "registry-1.docker.io"\n${good}` },
    /hosts\.toml:1 warning registry-1\.docker\.io has no scheme/,
  ],
  [
    'a CA that is not there',
    { [hub]: `${good}  ca = "/etc/containerd/certs.d/ca.pem"\n` },
    /hosts\.toml:3 error the CA \/etc\/containerd\/certs\.d\/ca\.pem is not there/,
  ],
  [
    'a CA beside the file that is not there',
    { [hub]: `${good}  ca = "ca.pem"\n` },
    /the CA \/etc\/containerd\/certs\.d\/docker\.io\/ca\.pem is not there/,
  ],
  [
    'a path without override_path',
    { [hub]: good.replace(':5000', ':5000/v2/docker.io') },
    /hosts\.toml:1 error without override_path containerd asks \/v2\/docker\.io\/v2/,
  ],
  [
    'a daemon.json that is none',
    { '/etc/docker/daemon.json': '{"registry-mirrors": [}' },
    /daemon\.json error it is no JSON/,
  ],
  [
    'a mirror of Docker with a path',
    { '/etc/docker/daemon.json': '{"registry-mirrors": ["https://a.example.com/docker.io"]}' },
    /daemon\.json error registry-mirrors: Docker takes .* no path: https:\/\/a\.example\.com\/docker\.io/,
  ],
];
for (const [that, files, is] of wrong)
  test(`It finds ${that}.`, async () => {
    const { exit, found } = await diagnose({ ...sound, ...files });
    assert.equal(exit, 10);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', is);
  });

const right: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['what is sound', {}],
  ['a node without any of them', { '/etc/hosts': '' }],
  [
    'a CA beside the file',
    { [hub]: `${good}  ca = "ca.pem"\n`, '/etc/containerd/certs.d/docker.io/ca.pem': 'x' },
  ],
  [
    'a path with override_path',
    { [hub]: `${good.replace(':5000', ':5000/v2/docker.io')}  override_path = true\n` },
  ],
  ['a path before /v2', { [hub]: good.replace(':5000', ':5000/docker.io') }],
  [
    'a folder that an imported file names',
    {
      '/etc/containerd/config.toml': 'version = 3\nimports = ["/etc/containerd/conf.d/*.toml"]\n',
      '/etc/containerd/conf.d/50-breakwater.toml': config('/etc/containerd/certs.d'),
    },
  ],
  [
    'mirrors of Docker',
    { '/etc/docker/daemon.json': '{"registry-mirrors": ["http://a.example.com:5002"]}' },
  ],
];
for (const [that, files] of right)
  test(`It finds nothing wrong with ${that}.`, async () => {
    const given = that === 'a node without any of them' ? files : { ...sound, ...files };
    const { exit, found, err } = await diagnose(given);
    assert.deepEqual([exit, found, err], [0, [], 'nothing was found\n']);
  });
