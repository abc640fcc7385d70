import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { readSettings, readWhatHolds } from './partial.ts';

const cwd = mkdtempSync(join(tmpdir(), 'breakwater-partial-'));
after(() => rmSync(cwd, { recursive: true }));
writeFileSync(
  join(cwd, 'secrets.yaml'),
  'hub: {username: u, accessToken: "${env:NOT_SET}"}\nquay: {username: q, accessToken: t}\n',
  { mode: 0o600 },
);

const rules = `rules:
  - {prefix: a, upstream: https://a.example, credential: quay}
  - {prefix: b, upstream: https://b.example, credential: hub}
`;

interface Row {
  readonly name: string;
  readonly text: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Prefixes with their credentials, of the rules that are left. */
  readonly rules?: readonly string[];
  readonly problems: number;
}

const rows: readonly Row[] = [
  { name: 'nothing wrong', text: 'rules: []', rules: [], problems: 0 },
  {
    name: 'a secret whose variable is missing: its rule stays, without it',
    text: `secretsFile: secrets.yaml\n${rules}`,
    rules: ['a quay', 'b'],
    problems: 1,
  },
  {
    name: 'no secrets file: the rules stay without',
    text: `secretsFile: none.yaml\n${rules}`,
    rules: ['a', 'b'],
    problems: 1,
  },
  {
    name: 'a value: the default takes its place',
    text: `drain: soon\nrules: [{prefix: a, upstream: a.example, freshFor: never}]`,
    rules: ['a'],
    problems: 2,
  },
  {
    name: 'a rule without an upstream is left out',
    text: 'rules: [{prefix: a}, {prefix: b, upstream: b.example}, {upstream: c.example}]',
    rules: ['b'],
    problems: 2,
  },
  {
    name: 'rules of which ten and more are wrong: the others are the right ones',
    text: `rules: [${Array.from({ length: 24 }, (_, n) => (n % 2 === 0 ? `{prefix: p${n}, upstream: h${n}}` : '{}')).join(', ')}]`,
    rules: Array.from({ length: 12 }, (_, n) => `p${2 * n}`),
    problems: 20,
  },
  {
    name: 'keys that are unknown, at every depth',
    text: 'nope: 1\ncache: {nope: 1}\nrules: [{prefix: a, upstream: a.example, onFailure: {nope: keep}}]',
    rules: ['a'],
    problems: 3,
  },
  {
    name: 'a certificate that is not there: the listener goes without',
    text: 'tls: {certFile: none.pem, keyFile: none.key}\nrules: []',
    rules: [],
    problems: 1,
  },
  { name: 'a variable', text: 'rules: []', env: { BREAKWATER__NOPE: '1' }, rules: [], problems: 1 },
  { name: 'no YAML', text: 'rules: [', problems: 1 },
  { name: 'no mapping', text: '- a', problems: 1 },
];

suite('what holds of a configuration', () => {
  for (const { name, text, env = {}, rules: expected, problems } of rows)
    test(name, async () => {
      writeFileSync(join(cwd, 'b.yaml'), `defaultRules: false\n${text}`.replace(/^.*\n- /, '- '));
      const { config, error } = await readWhatHolds({ file: 'b.yaml', env, cwd });
      assert.equal(error?.problems.length ?? 0, problems, String(error));
      const left = config?.rules.map(({ prefix, credential }) =>
        credential === undefined ? prefix : `${prefix} ${credential.name}`,
      );
      assert.deepEqual(left, expected);
    });

  test('a file that is not there leaves nothing', async () => {
    const { config, error } = await readWhatHolds({ file: 'none.yaml', env: {}, cwd });
    assert.equal(config, undefined);
    assert.match(error?.message ?? '', /does not exist/);
  });
});

test('settings by name come from file and environment, whatever else is there', async () => {
  writeFileSync(join(cwd, 'b.yaml'), 'dataDir: here\nlisten: 5\nnope: 1\n');
  const env = { BREAKWATER__PUBLIC_URL: 'https://x.example', BREAKWATER__NOPE: '1' };
  const options = { file: 'b.yaml', env, cwd };
  const { dataDir, publicUrl, drain } = await readSettings(
    ['dataDir', 'publicUrl', 'drain'],
    options,
  );
  assert.deepEqual([dataDir, publicUrl, drain], ['here', 'https://x.example', '120s']);
  await assert.rejects(readSettings(['dataDir', 'listen'], options), {
    message: /^b\.yaml:2:9: listen: 5 is not an address/,
  });
});
