import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { ServedFolder } from '../../../tests/support/processes/served-folder.ts';
import { serveFolder } from '../../../tests/support/processes/served-folder.ts';
import type { EndedCommand } from '../../../tests/support/rigs/run-command-line.ts';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-map-'));
after(() => rmSync(folder, { recursive: true }));

async function map(words: readonly string[], input = ''): Promise<EndedCommand> {
  return runCommandLine(['map', ...words], { input, cwd: folder });
}

const host = ['--registry-host', 'registry.example.com'];

test('Each image, what becomes of it, and why.', async () => {
  const images = ['nginx:1.27', 'k8s.gcr.io/pause:3.9', 'x.corp/a', 'registry.example.com/a', 'A'];
  assert.deepEqual(await map([...host, ...images]), {
    exit: 0,
    out: `IMAGE                   BECOMES                                            WHY
nginx:1.27              registry.example.com/docker.io/library/nginx:1.27  rule docker.io
k8s.gcr.io/pause:3.9    registry.example.com/registry.k8s.io/pause:3.9     rule registry.k8s.io; k8s.gcr.io is frozen; its images are those of registry.k8s.io, and are called so when they are reverted
x.corp/a                -                                                  no rule leads there
registry.example.com/a  -                                                  is of this registry already
A                       -                                                  is no image name
`,
    err: 'by the built-in rules\n',
  });
});

test('A line in, a line out: what stays is printed as it is.', async () => {
  const { out } = await map([...host, '-', '-o', 'name'], 'nginx\r\n\n  x.corp/a:1\nquay.io/a/b');
  assert.equal(
    out,
    'registry.example.com/docker.io/library/nginx\nx.corp/a:1\nregistry.example.com/quay.io/a/b\n',
  );
});

test('JSON has the reason as a word.', async () => {
  const { out } = await map([...host, 'x.corp/a', '-o', 'json']);
  assert.deepEqual(JSON.parse(out), {
    items: [
      {
        image: 'x.corp/a',
        becomes: 'x.corp/a',
        changed: false,
        reason: 'no rule',
        rule: null,
        note: null,
      },
    ],
  });
});

test('Without an image it prints the table; the paths of mirrors with -o wide.', async () => {
  const { out } = await map(host);
  const [head, hub, k8s] = out.split('\n');
  assert.match(head ?? '', /^FROM +TO +ONE-PART-NAMES +ALSO-CALLED$/);
  assert.match(
    hub ?? '',
    /^docker\.io\/… +registry\.example\.com\/docker\.io\/… +registry\.example\.com\/docker\.io\/library\/… +index\.docker\.io,registry-1/,
  );
  assert.match(k8s ?? '', /^registry\.k8s\.io\/… .* - +k8s\.gcr\.io$/);
  assert.ok(!out.includes('quay.io/quay.io'));
  const { out: wide } = await map([...host, '-o', 'wide']);
  assert.match(wide, /^quay\.io\/quay\.io\/… +registry\.example\.com\/quay\.io\/…/m);
});

test('--revert says what images of ours are called upstream.', async () => {
  const { out } = await map([
    ...host,
    '--revert',
    'registry.example.com/quay.io/a/b:1',
    '-o',
    'name',
  ]);
  assert.equal(out, 'quay.io/a/b:1\n');
});

const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'no host is known',
    ['nginx'],
    /^error: no host is known that images could begin with\nhint: name it with --registry-host/,
  ],
  [
    'our host is loopback',
    ['--registry-host', 'localhost:5000', 'nginx'],
    /^error: localhost:5000 cannot stand .*\ncause: .*the node itself\nhint: .*--force/,
  ],
  [
    'our host is a name of the cluster',
    ['--registry-host', 'cache.breakwater.svc:5000', 'nginx'],
    /^error: .*\ncause: nodes pull images, and they do not ask the DNS of the cluster\n/,
  ],
  [
    '--force helps a name of the cluster not',
    ['--registry-host', 'cache.breakwater.svc.cluster.local', '--force', 'nginx'],
    /do not ask the DNS/,
  ],
  [
    'our host is a URL',
    ['--registry-host', 'https://registry.example.com', 'nginx'],
    /^error: .*\ncause: it is no host .*\nhint: write registry\.example\.com/,
  ],
  [
    'the server of a data folder does not run',
    [...host, '--data-dir', 'nowhere', 'nginx'],
    /the server is not running/,
  ],
];
for (const [that, words, is] of refused)
  test(`Refused where ${that}.`, async () => {
    const { exit, out, err } = await map(words);
    assert.deepEqual([exit === 0, out], [false, '']);
    assert.match(err, is);
  });

test('--force lets our host be loopback.', async () => {
  const { out } = await map([
    '--registry-host',
    '127.0.0.1:5000',
    '--force',
    'nginx',
    '-o',
    'name',
  ]);
  assert.equal(out, '127.0.0.1:5000/docker.io/library/nginx\n');
});

test('A configuration says rules and host where no server runs on its data folder.', async () => {
  writeFileSync(
    join(folder, 'cache.yaml'),
    'publicUrl: https://cache.corp:5000\ndataDir: none\nrules:\n  - {prefix: hub, upstream: docker.io}\n',
  );
  const { out, err } = await map(['--config', 'cache.yaml', 'nginx', '-o', 'name']);
  assert.deepEqual(
    [out, err],
    ['cache.corp:5000/hub/library/nginx\n', 'by the rules of cache.yaml\n'],
  );
});

suite('A mapping file', () => {
  const former = '111122223333.dkr.ecr.eu-west-2.amazonaws.com';
  before(() => {
    writeFileSync(
      join(folder, 'mapping.yaml'),
      `registryHost: cache.corp\nrules:\n  - {prefix: hub, upstream: docker.io}\nreplaces: [${former}]\n`,
    );
    writeFileSync(
      join(folder, 'webhook.yaml'),
      "awsRegion: eu-west-2\nawsAccountId: '111122223333'\nregistries: [quay.io]\n",
    );
  });
  const rows: readonly (readonly [string, readonly string[], string])[] = [
    ['says rules and host', ['--mapping', 'mapping.yaml', 'nginx'], 'cache.corp/hub/library/nginx'],
    ['knows former targets', ['--mapping', 'mapping.yaml', `${former}/a/b:1`], 'cache.corp/a/b:1'],
    [
      'may be for another host',
      ['--mapping', 'mapping.yaml', ...host, 'nginx'],
      'registry.example.com/hub/library/nginx',
    ],
    [
      'of ecr-pull-through is for its ECR',
      ['--mapping', 'webhook.yaml', 'quay.io/a'],
      `${former}/quay.io/a`,
    ],
    [
      'of ecr-pull-through for another host takes its ECR over',
      ['--mapping', 'webhook.yaml', ...host, `${former}/quay.io/a`],
      'registry.example.com/quay.io/a',
    ],
  ];
  for (const [that, words, is] of rows)
    test(`${that}.`, async () => {
      assert.equal((await map([...words, '-o', 'name'])).out, `${is}\n`);
    });
  test('and a server beside it are one too many.', async () => {
    const { exit, err } = await map(['--mapping', 'mapping.yaml', '--config', 'x.yaml', 'nginx']);
    assert.equal(exit, 2);
    assert.match(err, /^error: --mapping is a mapping of its own\nhint: leave out/);
  });
  test('that is wrong is told with line and column.', async () => {
    writeFileSync(join(folder, 'wrong.yaml'), 'registryHost: cache.corp\nrule: []\n');
    const { exit, err } = await map(['--mapping', 'wrong.yaml', 'nginx']);
    assert.deepEqual(
      [exit, err],
      [2, 'error: wrong.yaml:2:1: rule: unknown key; did you mean rules?\n'],
    );
  });
});

suite('A server that runs', () => {
  const view = { upstreamPrefix: '', credential: null, shadowedBy: null };
  const rules = [
    { ...view, prefix: 'hub', origin: 'file', upstream: 'https://registry-1.docker.io' },
    { ...view, prefix: 'quay', origin: 'api', upstream: 'https://quay.io' },
    {
      ...view,
      prefix: 'quay-in',
      origin: 'api',
      upstream: 'https://quay.io',
      credential: 'secret',
    },
    {
      ...view,
      prefix: 'quay.io',
      origin: 'builtin',
      upstream: 'https://quay.io',
      shadowedBy: 'file',
    },
  ];
  let path = '';
  const server = createServer((request, response) => {
    path = request.url ?? '';
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ items: rules, next: null }));
  });
  const dataDir = join(folder, 'data');
  let served: ServedFolder;
  let listen = '';
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    listen = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    served = await serveFolder(dataDir, 'AKIATEST:s3cret');
    await served.record({ listen, publicUrl: 'https://cache.corp' });
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await served[Symbol.asyncDispose]();
  });

  test('says the rules in force, and its publicUrl the host.', async () => {
    const { out, err } = await map(['--data-dir', dataDir, 'nginx', 'quay.io/a/b', '-o', 'name']);
    assert.deepEqual(
      [out, err, path],
      [
        'cache.corp/hub/library/nginx\ncache.corp/quay-in/a/b\n',
        `by the rules of the server at ${listen}\n`,
        '/api/v1/rules',
      ],
    );
  });

  test('is asked although a configuration is named: rules of an API stand in none.', async () => {
    writeFileSync(join(folder, 'served.yaml'), `dataDir: ${dataDir}\n`);
    const { out } = await map(['--config', 'served.yaml', 'nginx', '-o', 'name']);
    assert.equal(out, 'cache.corp/hub/library/nginx\n');
  });

  test('that is named by --server has the host of that address.', async () => {
    const words = ['--server', listen, '--data-dir', dataDir, 'nginx', '-o', 'name'];
    assert.match((await map(words)).err, /127\.0\.0\.1:\d+ cannot stand before/);
    const { out } = await map([...words, ...host]);
    assert.equal(out, 'registry.example.com/hub/library/nginx\n');
  });
});
