import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from './config.ts';
import { ConfigError, formatProblem } from './config-error.ts';
import { readEnvironment, variableName } from './environment.ts';
import { UnreadableFile } from './file-reader.ts';
import { readConfig } from './load.ts';
import { settingLeaves } from './schema/schema.ts';

async function load(env: Record<string, string>, text?: string): Promise<Config> {
  const { config } = await readConfig({
    ...(text === undefined ? {} : { file: 'c.yaml' }),
    cwd: '/srv',
    env,
    readFile: async () => {
      if (text === undefined) throw new UnreadableFile('does not exist');
      return { bytes: new TextEncoder().encode(text), mode: 0o600, changedAt: 5 };
    },
  });
  return config;
}

async function told(env: Record<string, string>): Promise<string[]> {
  try {
    await load(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => formatProblem(problem));
  }
}

test('every setting outside rules has a variable, and no two the same', () => {
  const names = settingLeaves.map(({ path }) => variableName(path));
  assert.equal(new Set(names).size, settingLeaves.length);
  assert.ok(names.includes('BREAKWATER__CACHE__PARALLEL_ABOVE'));
  assert.ok(names.includes('BREAKWATER__TLS__CERT_FILE'));
  assert.ok(names.includes('BREAKWATER__RULES'));
});

test('a variable goes before the file, whose other keys stay', async () => {
  const config = await load(
    { BREAKWATER__CACHE__PARALLEL_ABOVE: '128MiB' },
    'cache: {parallelAbove: 1MiB, pieceSize: 1MiB}',
  );
  assert.equal(config.cache.parallelAboveBytes, 128 * 2 ** 20);
  assert.equal(config.cache.pieceBytes, 2 ** 20);
});

test('a variable goes before a wrong value of the file', async () => {
  const config = await load({ BREAKWATER__DRAIN: '5s' }, 'drain: 120');
  assert.equal(config.drainMs, 5000);
});

test('text is taken as it stands, numbers and flags as YAML', async () => {
  const config = await load({
    BREAKWATER__DATA_DIR: '1e3',
    BREAKWATER__LIMITS__DOWNLOADS: '7',
    BREAKWATER__DEFAULT_RULES: 'false',
    BREAKWATER__HUB_MIRROR_LISTEN: ':5002',
  });
  assert.deepEqual(
    [config.dataDir, config.limits.downloadsMax, config.rules, config.hubMirrorListen],
    ['/srv/1e3', 7, [], { host: '', port: 5002 }],
  );
});

test('rules are a YAML list', async () => {
  const config = await load({ BREAKWATER__RULES: '[{prefix: a, upstream: b.corp, allow: [x/*]}]' });
  assert.deepEqual(config.rules[0]?.allow, ['x/*']);
});

test('an empty variable is an empty text', async () => {
  const config = await load({ BREAKWATER__PUBLIC_URL: '' }, 'publicUrl: https://a.b');
  assert.equal(config.publicUrl, '');
});

test("variables with one underscore, Kubernetes' own, are no concern", async () => {
  assert.deepEqual(
    await told({ BREAKWATER_PORT: 'tcp://10.0.0.1:80', BREAKWATER_SERVICE_HOST: 'x' }),
    [],
  );
});

const wrong: readonly (readonly [Record<string, string>, readonly string[]])[] = [
  [
    { BREAKWATER__CACHE__PARALEL_ABOVE: '1MiB' },
    [
      'BREAKWATER__CACHE__PARALEL_ABOVE: not a setting; did you mean BREAKWATER__CACHE__PARALLEL_ABOVE?',
    ],
  ],
  [{ BREAKWATER__QQQQQQQQQQQQ: '1' }, ['BREAKWATER__QQQQQQQQQQQQ: not a setting; remove it']],
  [{ BREAKWATER__: '1' }, ['BREAKWATER__: not a setting; remove it']],
  [{ BREAKWATER__CACHE: '{}' }, ['BREAKWATER__CACHE: not a setting; remove it']],
  [
    { BREAKWATER__LIMITS__DOWNLOADS: 'many' },
    [
      'BREAKWATER__LIMITS__DOWNLOADS:1:1: limits.downloads: "many" is not a whole number from 1 to 100000; write one, without quotes',
    ],
  ],
  [
    { BREAKWATER__DRAIN: 'soon' },
    [
      'BREAKWATER__DRAIN: drain: "soon" is not a time up to 24h; write a number with its unit, such as 800ms, 30s, 24h or 1h30m',
    ],
  ],
  [
    { BREAKWATER__RULES: '[{prefix: a, upstrem: b}]' },
    [
      'BREAKWATER__RULES:1:2: rules[0].upstream: missing; write a host (https is spoken to it) or a URL with http:// or https://',
      'BREAKWATER__RULES:1:14: rules[0].upstrem: unknown key; did you mean upstream?',
    ],
  ],
  [
    { BREAKWATER__RULES: '[' },
    ['BREAKWATER__RULES:1:2: not valid YAML: Flow sequence must end with a ]'],
  ],
];
for (const [env, expected] of wrong) {
  test(`${JSON.stringify(env)} is refused with its name and the fix`, async () => {
    assert.deepEqual(await told(env), expected);
  });
}

test('a variable that is unset is none', () => {
  assert.deepEqual(readEnvironment({ BREAKWATER__DRAIN: undefined }), {
    overrides: [],
    problems: [],
  });
});
