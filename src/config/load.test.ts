import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ruleDefaults } from '../domain/rules/builtin-rules.ts';
import { createRuleSet } from '../domain/rules/rule-set.ts';
import type { Config } from './config.ts';
import { ConfigError, formatProblem, problemsMax } from './config-error.ts';
import type { FileReader } from './file-reader.ts';
import { UnreadableFile, readSmallFile } from './file-reader.ts';
import { readConfig } from './load.ts';

type Files = Readonly<Record<string, string>>;

function reader(files: Files, mode = 0o600): FileReader {
  return async (path) => {
    const text = Object.hasOwn(files, path) ? files[path] : undefined;
    if (text === undefined) throw new UnreadableFile('does not exist');
    return { bytes: new TextEncoder().encode(text), mode, changedAt: 5 };
  };
}

async function load(
  text: string,
  env: Record<string, string> = {},
  files: Files = {},
): Promise<Config> {
  const readFile = reader({ '/etc/b/c.yaml': text, ...files });
  return (await readConfig({ file: 'c.yaml', cwd: '/etc/b', env, readFile })).config;
}

/** The problems as they are told, or none. */
async function told(
  text: string,
  env: Record<string, string> = {},
  files: Files = {},
): Promise<string[]> {
  try {
    await load(text, env, files);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => formatProblem(problem));
  }
}

test('without a file everything has its default', async () => {
  const { config } = await readConfig({ cwd: '/srv', env: {} });
  assert.deepEqual(
    { ...config, rules: config.rules.map(({ prefix }) => prefix) },
    {
      listen: { host: '127.0.0.1', port: 5000 },
      adminListen: { host: '127.0.0.1', port: 5001 },
      hubMirrorListen: undefined,
      tls: undefined,
      dataDir: '/srv/data',
      publicUrl: '',
      registryId: '000000000000',
      organizationId: '',
      regions: ['us-east-1'],
      anonymousPull: true,
      anonymousImport: 'loopback',
      trustedProxies: [],
      apiUpstreams: 'public',
      secrets: new Map(),
      secretsFile: undefined,
      createOnPush: true,
      sparseIndexes: false,
      oidc: [],
      drainMs: 120_000,
      shutdownDelayMs: 0,
      cache: {
        parallelAboveBytes: 64 * 2 ** 20,
        pieceBytes: 8 * 2 ** 20,
        connectionsPerBlob: 4,
        minFree: { share: 0.05 },
        maxBlobBytes: 64 * 2 ** 30,
      },
      lifecycle: { expireByPull: false },
      keys: {
        from: ['file'],
        environment: 'BREAKWATER_KEYS',
        command: [],
        commandTimeoutMs: 10_000,
      },
      limits: { connectionsMax: 10_000, downloadsMax: 256 },
      rules: [
        'docker.io',
        'registry.k8s.io',
        'quay.io',
        'ghcr.io',
        'public.ecr.aws',
        'gcr.io',
        'registry.gitlab.com',
        'mcr.microsoft.com',
        'cgr.dev',
      ],
    },
  );
});

test('an empty file, and one of comments, are all defaults', async () => {
  const { config: defaults } = await readConfig({ cwd: '/etc/b', env: {} });
  assert.deepEqual(await load(''), defaults);
  assert.deepEqual(await load('# nothing\n---\n'), defaults);
});

test('a rule of two lines has the defaults of the built-in ones', async () => {
  const config = await load(
    'defaultRules: false\nrules: [{prefix: corp, upstream: "http://r.corp:5000"}]',
  );
  assert.deepEqual(config.rules, [
    {
      ...ruleDefaults,
      prefix: 'corp',
      origin: 'file',
      urls: [{ origin: 'http://r.corp:5000', host: 'r.corp:5000', plain: true }],
      upstreamHost: 'r.corp:5000',
    },
  ]);
});

test('a file rule replaces the built-in rule of its prefix, by an alias too', async () => {
  const config = await load('rules: [{prefix: index.docker.io, upstream: cache.corp}]');
  const hubs = config.rules.filter(({ prefix }) => prefix.endsWith('docker.io'));
  assert.deepEqual(
    hubs.map(({ prefix, origin, upstreamHost }) => [prefix, origin, upstreamHost]),
    [['docker.io', 'file', 'cache.corp']],
  );
  assert.equal(createRuleSet(config.rules).byPath('docker.io/nginx')?.rule, hubs[0]);
});

test('the alias of an upstream is docker.io, and what is dialled its registry', async () => {
  const config = await load('rules: [{prefix: hub, upstream: index.docker.io, mirrors: [m.corp]}]');
  assert.equal(config.rules[0]?.upstreamHost, 'docker.io');
  assert.deepEqual(
    config.rules[0]?.urls.map(({ origin }) => origin),
    ['https://registry-1.docker.io', 'https://m.corp'],
  );
});

const problems: readonly (readonly [string, readonly string[]])[] = [
  [
    'listen: 5000',
    [
      'c.yaml:1:9: listen: 5000 is not an address with a port; write 127.0.0.1:5000, [::1]:5000 or, for all addresses, ":5000"',
    ],
  ],
  [
    'drain: 120',
    [
      'c.yaml:1:8: drain: 120 is not a time up to 24h; write a number with its unit, such as 800ms, 30s, 24h or 1h30m',
    ],
  ],
  [
    'drain: 25h',
    [
      'c.yaml:1:8: drain: "25h" is not a time up to 24h; write a number with its unit, such as 800ms, 30s, 24h or 1h30m',
    ],
  ],
  ['# c\n\nchache: {}', ['c.yaml:3:1: chache: unknown key; did you mean cache?']],
  [
    'cache:\n  parallelAbov: 1GiB',
    ['c.yaml:2:3: cache.parallelAbov: unknown key; did you mean parallelAbove?'],
  ],
  [
    'limits:\n  qqq: 1',
    ['c.yaml:2:3: limits.qqq: unknown key; the keys here are connections, downloads'],
  ],
  [
    'cache: {pieceSize: 8}',
    [
      'c.yaml:1:20: cache.pieceSize: 8 is not a size from 64KiB to 1GiB; write a whole number with its unit, such as 64MiB or 1GiB',
    ],
  ],
  [
    'cache:\n  minFree: 10MiB',
    [
      'c.yaml:2:12: cache.minFree: "10MiB" is not a share or a size of at least 1GiB; write 5% or 20GiB',
    ],
  ],
  [
    'cache:',
    [
      'c.yaml:1:1: cache: without a value; remove the key, or write its keys below it, each indented',
    ],
  ],
  [
    'cache: []',
    ['c.yaml:1:8: cache: a list is not a mapping; write its keys below it, each indented'],
  ],
  [
    'limits: {downloads: 2.5}',
    [
      'c.yaml:1:21: limits.downloads: 2.5 is not a whole number from 1 to 100000; write one, without quotes',
    ],
  ],
  [
    'limits: {downloads: 0}',
    [
      'c.yaml:1:21: limits.downloads: 0 is not a whole number from 1 to 100000; write one, without quotes',
    ],
  ],
  [
    'defaultRules: yes',
    [
      'c.yaml:1:15: defaultRules: "yes" is not true or false; write one of these, without quotes (to YAML 1.2 that is a text: write true)',
    ],
  ],
  [
    'publicUrl: https://a.b/c',
    [
      'c.yaml:1:12: publicUrl: "https://a.b/c" is not a URL of a host alone; write https://registry.example.com, or "" to go by each request\'s Host',
    ],
  ],
  [
    'rules: {}',
    [
      'c.yaml:1:8: rules: a mapping is not a list of at most 10000; begin each of its entries with "- ", or write [] for none',
    ],
  ],
  [
    'defaultRules: no',
    [
      'c.yaml:1:15: defaultRules: "no" is not true or false; write one of these, without quotes (to YAML 1.2 that is a text: write false)',
    ],
  ],
  [
    'cache:\nminFree: 5%',
    [
      'c.yaml:1:1: cache: without a value; remove the key, or write its keys below it, each indented',
      'c.yaml:2:1: minFree: unknown key; it belongs below cache: indent it more than that',
    ],
  ],
  [
    'upstream: x.example',
    ['c.yaml:1:1: upstream: unknown key; it belongs below rules: indent it more than that'],
  ],
  [
    'cache: &c {minFree: 5%}\nlimits:\n  <<: *c',
    ['c.yaml:3:3: limits.<<: merge keys are not read; write its keys out'],
  ],
  [
    'listen: 127.0.0.1:5000\n cache:\n  minFree: 5%',
    [
      'c.yaml:1:9: the line below is indented as if it belonged to this value; begin it in the column of its neighbours',
    ],
  ],
  [
    'rules:\n- prefix: a\n upstream: b.example',
    [
      'c.yaml:3:1: this line is indented like none around it; begin it in the column of its neighbours',
    ],
  ],
  [
    'rules: [x]',
    ['c.yaml:1:9: rules[0]: "x" is not a rule; write a mapping with prefix and upstream'],
  ],
  [
    'rules:\n  - prefix: a',
    [
      'c.yaml:2:5: rules[0].upstream: missing; write a host (https is spoken to it) or a URL with http:// or https://',
    ],
  ],
  [
    'rules:\n  - prefix: A/\n    upstream: b',
    [
      'c.yaml:2:13: rules[0].prefix: "A/" is not a prefix of repository names; write lower-case letters, digits, ".", "_", "-" and "/" between parts, 128 characters at most, or ROOT',
    ],
  ],
  [
    'rules:\n  - prefix: a\n    upstream: https://u:p/w@q.io',
    [
      'c.yaml:3:15: rules[0].upstream: "https://…@q.io" is not a host or URL; write registry.example.com or https://registry.example.com',
    ],
  ],
  [
    'rules:\n  - {prefix: a, upstream: b, push: yes}',
    [
      'c.yaml:2:36: rules[0].push: "yes" is not true or false; write one of these, without quotes (to YAML 1.2 that is a text: write true)',
    ],
  ],
  [
    'rules:\n  - {prefix: a, upstream: b, onFailure: {denied: stopp}}',
    [
      'c.yaml:2:50: rules[0].onFailure.denied: "stopp" is not an action; write keep or stop (did you mean stop?)',
    ],
  ],
  [
    'rules:\n  - {prefix: a, upstream: b, platforms: [linux]}',
    [
      'c.yaml:2:42: rules[0].platforms[0]: "linux" is not a platform; write linux/amd64 or linux/arm/v7',
    ],
  ],
  [
    'rules:\n  - {prefix: a, upstream: b, allow: ["^x$"]}',
    [
      'c.yaml:2:38: rules[0].allow[0]: "^x$" is not a pattern; write library/*, library/nginx:1.* or library/nginx@sha256:…, 512 characters at most',
    ],
  ],
  [
    'rules:\n  - {prefix: a, upstream: b}\n  - {prefix: a, upstream: c}',
    ['c.yaml:3:14: rules[1].prefix: "a" is the prefix of rules[0]; keep one of them'],
  ],
  [
    'rules:\n  - {prefix: docker.io, upstream: b}\n  - {prefix: registry-1.docker.io, upstream: c}',
    [
      'c.yaml:3:14: rules[1].prefix: "registry-1.docker.io" is the same as docker.io, the prefix of rules[0]; keep one of them',
    ],
  ],
  [
    'keys: {from: [file, vault]}',
    [
      'c.yaml:1:21: keys.from[1]: "vault" is not a source of keys; write file, environment or command',
    ],
  ],
  [
    'keys: {from: []}',
    ['c.yaml:1:14: keys.from: a list is not a source of keys; write one at least'],
  ],
  [
    'keys: {from: [file, file]}',
    ['c.yaml:1:21: keys.from[1]: "file" is keys.from[0] too; keep one of them'],
  ],
  [
    'keys: {from: [command]}',
    [
      'c.yaml:1:7: keys.command: missing beside command in keys.from; write the program and its arguments',
    ],
  ],
  [
    'keys: {environment: "a b"}',
    [
      'c.yaml:1:21: keys.environment: "a b" is not the name of a variable; write letters, digits and underscores',
    ],
  ],
  [
    'listen: :5001',
    ['c.yaml:1:1: adminListen: "127.0.0.1:5001" is taken by listen; write another port'],
  ],
  [
    'tls: {certFile: x}',
    ['c.yaml:1:6: tls.keyFile: missing beside certFile; write both or neither'],
  ],
  [
    '__proto__: {listen: x}',
    [
      'c.yaml:1:1: __proto__: unknown key; the keys here are listen, adminListen, hubMirrorListen, tls, dataDir, publicUrl, registryId, organizationId, regions, anonymousPull, anonymousImport, trustedProxies, defaultRules, apiUpstreams, secretsFile, createOnPush, sparseIndexes, oidc, drain, shutdownDelay, cache, lifecycle, keys, limits, rules',
    ],
  ],
  ['- a', ['c.yaml:1:1: a list is not a mapping; write keys such as listen: 127.0.0.1:5000']],
  ['drain: 1s\ndrain: 2s', ['c.yaml:2:1: "drain" is written twice; keep one']],
  ['cache:\n\tpieceSize: 1MiB', ['c.yaml:2:1: a tab indents this line; use spaces']],
  ['drain: 1s\n---\ndrain: 2s', ['c.yaml:2:1: a second document begins here; keep one']],
  ['secretsFile: s.yaml', ['s.yaml: the file does not exist']],
];
for (const [text, expected] of problems) {
  test(`${JSON.stringify(text)} is refused with its place and the fix`, async () => {
    assert.deepEqual(await told(text), expected);
  });
}

test('apiUpstreams is one of three words', async () => {
  assert.equal((await load('apiUpstreams: strict')).apiUpstreams, 'strict');
  const [problem = ''] = await told('apiUpstreams: pubilc');
  assert.match(
    problem,
    /^c\.yaml:1:15: apiUpstreams: "pubilc" is not a choice of upstreams; .*did you mean public\?/,
  );
});

test('all problems are told at once, in the order of the file', async () => {
  const lines = await told('drain: 1\nlisten: 2\nfoo: 3\nrules:\n  - {prefix: a}\n  - {prefix: a}');
  assert.deepEqual(
    lines.map((line) => line.split(': ', 2).join(' ')),
    [
      'c.yaml:1:8 drain',
      'c.yaml:2:9 listen',
      'c.yaml:3:1 foo',
      'c.yaml:5:5 rules[0].upstream',
      'c.yaml:6:5 rules[1].upstream',
      'c.yaml:6:14 rules[1].prefix',
    ],
  );
});

test('of a thousand problems twenty are told, and how many more there are', async () => {
  const text = Array.from({ length: 1000 }, (_, index) => `k${index}: 1`).join('\n');
  await assert.rejects(load(text), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.problems.length, problemsMax);
    return error.message.endsWith('\nand 980 more');
  });
});

test('a rule by an anchor is refused where it is written', async () => {
  const [problem] = await told('rules:\n  - &a {prefix: a, upstream: b, maxConnections: x}\n');
  assert.match(
    problem ?? '',
    /^c\.yaml:2:49: rules\[0\]\.maxConnections: "x" is not a whole number/,
  );
});

for (const [title, text] of [
  [
    'a thousandfold of aliases',
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]`,
  ],
  ['a hundred thousand brackets', '['.repeat(100_000)],
  ['a hundred thousand closed brackets', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['a long line', `a: ${'x'.repeat(2 * 1024 * 1024)}`],
  ['an own tag', 'drain: !!js/function x'],
  ['an alias of nothing', 'drain: *x'],
] as const) {
  test(`${title} is refused`, async () => {
    assert.notDeepEqual(await told(text), []);
  });
}

test('any text is a configuration or refused, never anything else', async () => {
  const word = fc.constantFrom(
    'listen',
    'cache',
    ':',
    ' ',
    '\n',
    '  ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '*a',
    '&a',
    'rules',
    '!',
    '"',
    '|',
    '~',
    '1',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.array(word).map((words) => words.join('')),
      ),
      async (text) => {
        await told(text);
      },
    ),
  );
});

test('a file that is missing, and one that is none, are said to be so', async () => {
  const loaded = readConfig({ file: 'absent.yaml', cwd: import.meta.dirname, env: {} });
  await assert.rejects(loaded, { message: 'absent.yaml: the file does not exist' });
  const folder = readConfig({ file: 'testdata', cwd: import.meta.dirname, env: {} });
  await assert.rejects(folder, { message: 'testdata: the file is no regular file' });
});

test('a file that is larger than allowed is not read', async () => {
  await assert.rejects(readSmallFile(import.meta.filename, 100), /is larger than 100 bytes/);
});
