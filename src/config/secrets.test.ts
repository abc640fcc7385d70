import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, formatProblem } from './config-error.ts';
import { UnreadableFile } from './file-reader.ts';
import { readConfig } from './load.ts';
import { secretWarnings } from './secret-warnings.ts';
import type { LoadOptions } from './load.ts';

const ruled =
  'secretsFile: s.yaml\nrules:\n  - {prefix: docker.io, upstream: docker.io, credential: hub/one}\n';

function options(
  secrets: string,
  more: { config?: string; mode?: number; token?: string } = {},
): LoadOptions {
  const files: Readonly<Record<string, string | undefined>> = {
    '/etc/b/c.yaml': more.config ?? ruled,
    '/etc/b/s.yaml': secrets,
    '/etc/b/token': more.token,
    '/run/token': more.token,
  };
  return {
    file: 'c.yaml',
    cwd: '/etc/b',
    env: { HUB_TOKEN: 'from-env' },
    readFile: async (path) => {
      const text = files[path];
      if (text === undefined) throw new UnreadableFile('does not exist');
      return {
        bytes: new TextEncoder().encode(text),
        mode: path.endsWith('s.yaml') ? (more.mode ?? 0o640) : 0o644,
        changedAt: 5,
      };
    },
  };
}

async function told(given: LoadOptions): Promise<string[]> {
  try {
    await readConfig(given);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => formatProblem(problem));
  }
}

for (const [written, token] of [
  ['plain', 'plain'],
  ['"${env:HUB_TOKEN}"', 'from-env'],
  ['"a-${env:HUB_TOKEN}-${env:HUB_TOKEN}"', 'a-from-env-from-env'],
  ['"${file:/run/token}"', 'from-file'],
  ['"${file:token}"', 'from-file'],
  ['"$HUB_TOKEN"', '$HUB_TOKEN'],
] as const) {
  test(`an accessToken written ${written} is ${token}`, async () => {
    const { config } = await readConfig(
      options(`hub/one: {username: u, accessToken: ${written}}`, { token: 'from-file\n' }),
    );
    assert.deepEqual(config.rules[0]?.credential, {
      name: 'hub/one',
      username: 'u',
      accessToken: token,
    });
  });
}

const elsewhere = (hint: string): string =>
  `c.yaml:3:58: rules[0].credential: hub/one is not in secretsFile, and looked for among the secrets made over the API${hint}`;
for (const [what, text, warnings] of [
  ['is in the file: no warning', 'hub/one: {username: u, accessToken: t}', []],
  ['is not in the file: it may be an API’s', '', [elsewhere('')]],
  [
    'is nearly in the file: the name that is',
    'hub/on: {username: u, accessToken: t}',
    [elsewhere('; did you mean hub/on?')],
  ],
] as const)
  test(`a credential that ${what}`, async () => {
    const { config } = await readConfig(options(text));
    assert.deepEqual(secretWarnings(config), warnings);
    assert.equal(config.rules[0]?.blocked !== undefined, warnings.length > 0);
    assert.equal(config.rules[0]?.anonymousPull, false);
  });

test('what a credential fetches is closed unless the rule opens it', async () => {
  const secrets = 'hub/one: {username: u, accessToken: t}';
  const { config: closed } = await readConfig(options(secrets));
  assert.equal(closed.rules[0]?.anonymousPull, false);
  const config = ruled.replace('credential:', 'anonymousPull: true, credential:');
  const { config: open } = await readConfig(options(secrets, { config }));
  assert.equal(open.rules[0]?.anonymousPull, true);
});

for (const mode of [0o644, 0o604, 0o666, 0o602, 0o601]) {
  test(`a secretsFile of mode ${mode.toString(8)} is refused`, async () => {
    assert.deepEqual(await told(options('hub/one: {username: u, accessToken: t}', { mode })), [
      `s.yaml: mode ${mode.toString(8)} lets others at the secrets; run chmod o-rwx on it (in Kubernetes: defaultMode 0440)`,
    ]);
  });
}

test('the mode of the real file counts', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'breakwater-secrets-'));
  try {
    await writeFile(join(folder, 'c.yaml'), ruled);
    await writeFile(join(folder, 's.yaml'), 'hub/one: {username: u, accessToken: t}');
    const given = { file: 'c.yaml', cwd: folder, env: {} };
    await chmod(join(folder, 's.yaml'), 0o640);
    assert.equal((await readConfig(given)).config.rules[0]?.credential?.username, 'u');
    await chmod(join(folder, 's.yaml'), 0o644);
    assert.match((await told(given)).join(), /^s\.yaml: mode 644 /);
  } finally {
    await rm(folder, { recursive: true });
  }
});

const wrong: readonly (readonly [string, readonly string[]])[] = [
  [
    'hub/one: {username: u}',
    [
      's.yaml:1:10: hub/one.accessToken: not a text; write the token, "${env:NAME}" or "${file:/path}"',
    ],
  ],
  [
    'hub/one: {username: u, accessToken: 7}',
    [
      's.yaml:1:37: hub/one.accessToken: not a text; write the token, "${env:NAME}" or "${file:/path}"',
    ],
  ],
  [
    'hub/one: {username: u, accessToken: t, acessToken: t}',
    ['s.yaml:1:40: hub/one.acessToken: unknown key; did you mean accessToken?'],
  ],
  [
    'hub/one: hunter2',
    ['s.yaml:1:10: hub/one: not a secret; write username and accessToken below the name'],
  ],
  ['- hunter2', ['s.yaml:1:1: not a mapping; write name: {username: …, accessToken: …}']],
  [
    '"a b": {username: u, accessToken: hunter2}',
    ['s.yaml:1:1: a b: not a name of a secret; write letters, digits and /_+=.@-'],
  ],
  [
    'hub/one: {username: "u:v", accessToken: hunter2}',
    ['s.yaml:1:21: hub/one.username: holding a colon, which no user name can; remove it'],
  ],
  [
    'hub/one: {username: u, accessToken: ""}',
    ['s.yaml:1:37: hub/one.accessToken: empty; write a value'],
  ],
  [
    'hub/one: {username: u, accessToken: "hunter2\\n"}',
    [
      's.yaml:1:37: hub/one.accessToken: holding a line break or another control character; remove it',
    ],
  ],
  [
    'hub/one: {username: u, accessToken: "${env:NONE}"}',
    ['s.yaml:1:37: hub/one.accessToken: the environment variable NONE is not set'],
  ],
  [
    'hub/one: {username: u, accessToken: "${file:/none}"}',
    ['s.yaml:1:37: hub/one.accessToken: the file /none does not exist'],
  ],
  [
    'hub/one: {username: u, accessToken: "${vault:x}"}',
    ['s.yaml:1:37: hub/one.accessToken: ${vault:…} is unknown; write ${env:NAME} or ${file:/path}'],
  ],
  [
    'hub/one: {username: u, accessToken: hunter2',
    [
      's.yaml:1:44: not valid YAML: Flow map in block collection must be sufficiently indented and end with a }',
    ],
  ],
];
for (const [secrets, expected] of wrong) {
  test(`secrets of ${JSON.stringify(secrets)} are refused, and none of them told`, async () => {
    const lines = await told(options(secrets));
    assert.deepEqual(lines, expected);
    assert.doesNotMatch(lines.join(), /hunter2/);
  });
}

test('the files that secrets came from are watched too', async () => {
  const loaded = await readConfig(
    options('hub/one: {username: u, accessToken: "${file:token}"}', { token: 'x' }),
  );
  assert.deepEqual(loaded.files, ['/etc/b/c.yaml', '/etc/b/s.yaml', '/etc/b/token']);
});
