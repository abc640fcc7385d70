import { deepEqual, doesNotMatch, match } from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../config/load.ts';
import { greetingOf } from './greeting.ts';

const addresses = { listen: 'http://127.0.0.1:5000', adminListen: 'http://127.0.0.1:5001' };
const login = 'docker login 127.0.0.1:5000  # user and password: /srv/data/credentials';

/** The suggestions, for a configuration given by the environment; `rules` as YAML. */
async function suggested(
  env: Readonly<Record<string, string>>,
  where: Partial<typeof addresses> = {},
): Promise<readonly string[]> {
  const set = { BREAKWATER__DATA_DIR: '/srv/data', ...env };
  const { config } = await readConfig({ env: set, cwd: '/' });
  const lines = greetingOf({ ...addresses, ...where }, config).split('\n');
  return lines.filter((line) => line.startsWith('  ')).map((line) => line.trim());
}

const own = (rules: string): Readonly<Record<string, string>> => ({
  BREAKWATER__DEFAULT_RULES: 'false',
  BREAKWATER__RULES: rules,
});
const pull = (image: string): string => `docker pull 127.0.0.1:5000/${image}`;
const copy = (image: string): string =>
  `skopeo copy --src-tls-verify=false docker://127.0.0.1:5000/${image} dir:image`;

const rows: readonly (readonly [
  name: string,
  env: Readonly<Record<string, string>>,
  lines: readonly string[],
])[] = [
  [
    'the built-in rules',
    {},
    [pull('docker.io/library/nginx:latest'), copy('registry.k8s.io/pause:3.10')],
  ],
  [
    'one rule under a name of its own',
    own('[{prefix: k8s, upstream: registry.k8s.io}]'),
    [pull('k8s/pause:3.10'), copy('k8s/pause:3.10')],
  ],
  [
    'a rule for a registry of their own',
    own('[{prefix: corp, upstream: "http://registry.corp.example:5000"}]'),
    [login, pull('corp/NAME:TAG')],
  ],
  [
    'ROOT alone',
    own('[{prefix: ROOT, upstream: "https://registry.corp.example"}]'),
    [login, pull('NAME:TAG')],
  ],
  [
    'a rule that does not allow what would be suggested',
    own('[{prefix: docker.io, upstream: registry-1.docker.io, allow: ["team/*"]}]'),
    [login, pull('docker.io/NAME:TAG')],
  ],
  [
    'a rule for one repository',
    own('[{prefix: docker.io/aquasec/trivy-db, upstream: registry-1.docker.io}]'),
    [login, pull('docker.io/aquasec/trivy-db:TAG')],
  ],
  [
    'no rules',
    own('[]'),
    [login, 'docker tag IMAGE 127.0.0.1:5000/team/app:1 && docker push 127.0.0.1:5000/team/app:1'],
  ],
  [
    'built-in rules where anonymous fetches nothing',
    { BREAKWATER__ANONYMOUS_IMPORT: 'false' },
    [login, pull('docker.io/library/nginx:latest'), copy('registry.k8s.io/pause:3.10')],
  ],
];
for (const [name, env, lines] of rows)
  test(`suggests, with ${name}, what works`, async () => deepEqual(await suggested(env), lines));

test('names no address that nobody can ask', async () => {
  const text = (await suggested({}, { listen: 'http://0.0.0.0:5000' })).join('\n');
  match(text, /localhost:5000\/docker\.io/);
  doesNotMatch(text, /0\.0\.0\.0/);
});

test('names the server by its public URL', async () => {
  const lines = await suggested({ BREAKWATER__PUBLIC_URL: 'https://registry.example.com' });
  deepEqual(
    lines[1],
    'skopeo copy docker://registry.example.com/registry.k8s.io/pause:3.10 dir:image',
  );
});
