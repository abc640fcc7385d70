import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { LoadOptions } from './load.ts';
import { readConfig } from './load.ts';
import { printConfig } from './print.ts';
import { configJsonSchema, keysAt, settingLeaves } from './schema/schema.ts';

const text = `drain: 90s
secretsFile: s.yaml
tls: {}
rules:
  - prefix: docker.io
    upstream: docker.io
    credential: hub
    onFailure: {denied: stop}
    allow: [library/*]
`;

function options(file: string, env: Record<string, string> = {}): LoadOptions {
  const files: Readonly<Record<string, string>> = {
    '/b/c.yaml': file,
    '/b/s.yaml': 'hub: {username: someone, accessToken: hunter2}',
  };
  return {
    file: 'c.yaml',
    cwd: '/b',
    env,
    readFile: async (path) => ({
      bytes: new TextEncoder().encode(files[path] ?? ''),
      mode: 0o600,
      changedAt: 5,
    }),
  };
}

test('what is printed says where each value came from', async () => {
  const printed = printConfig(
    await readConfig(options(text, { BREAKWATER__SHUTDOWN_DELAY: '2s' })),
  );
  for (const line of [
    'drain: 90s # c.yaml:1',
    'shutdownDelay: 2s # BREAKWATER__SHUTDOWN_DELAY',
    '  certFile: "" # default',
    'listen: 127.0.0.1:5000 # default',
    '  - prefix: docker.io # c.yaml:5',
    '    anonymousPull: false # default',
    '      denied: stop # c.yaml:8',
    '      notFound: keep # default',
    '    allow: [ library/* ] # c.yaml:9',
    '    deny: [] # default',
  ]) {
    assert.ok(printed.split('\n').includes(line), `${line}\nin\n${printed}`);
  }
  assert.match(printed, /\n# built-in rules: registry\.k8s\.io, quay\.io, /);
});

test('no secret is printed', async () => {
  const printed = printConfig(await readConfig(options(text)));
  assert.doesNotMatch(printed, /hunter2|someone/);
  assert.match(printed, /credential: hub # c\.yaml:7/);
});

test('what is printed loads as the same', async () => {
  const given = options(text, { BREAKWATER__RULES: '[{prefix: a, upstream: b.corp}]' });
  const loaded = await readConfig(given);
  assert.match(printConfig(loaded), /- prefix: a # BREAKWATER__RULES\n/);
  assert.deepEqual((await readConfig(options(printConfig(loaded)))).config, loaded.config);
});

test('the example loads, and shows every key', async () => {
  const file = new URL('../../examples/breakwater.yaml', import.meta.url);
  const { config } = await readConfig({ file: file.pathname, cwd: '/b', env: {} });
  assert.deepEqual(
    config.rules.slice(0, 2).map(({ prefix }) => prefix),
    ['docker.io', 'corp'],
  );
  const shown: unknown = parse(await readFile(file, 'utf8'));
  for (const { path } of settingLeaves) assert.notEqual(at(shown, path), undefined, path.join('.'));
  for (const key of keysAt(['rules', 0]))
    assert.notEqual(at(shown, ['rules', 0, key]), undefined, key);
});

test('the example says the defaults', async () => {
  const { config: example } = await readConfig({
    file: 'examples/breakwater.yaml',
    cwd: root(),
    env: {},
  });
  const { config: defaults } = await readConfig({ cwd: root(), env: {} });
  assert.deepEqual(
    { ...example, hubMirrorListen: undefined, rules: [] },
    { ...defaults, rules: [] },
  );
  const [hub] = example.rules;
  assert.deepEqual({ ...hub, origin: 'builtin' }, defaults.rules[0]);
});

test('the JSON Schema is the one that was published (UPDATE_GOLDEN=1 writes it)', async () => {
  const golden = new URL('testdata/config.schema.json', import.meta.url);
  const now = configJsonSchema();
  if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(golden, JSON.stringify(now, null, 2));
  assert.deepEqual(now, JSON.parse(await readFile(golden, 'utf8')));
});

function at(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined,
    value,
  );
}

function root(): string {
  return new URL('../..', import.meta.url).pathname;
}
