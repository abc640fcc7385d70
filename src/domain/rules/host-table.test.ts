import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ruleFor as rule } from '../../../tests/support/rigs/pull-server.ts';
import { overBuiltinRules } from './builtin-rules.ts';
import { applyRow, findRowIn, hostTable } from './host-table.ts';
import type { HostRow } from './host-table.ts';
import type { PullRule } from './pull-rule.ts';
import { createRuleSet } from './rule-set.ts';

/** `quay.io/coreos/* → coreos/*`. */
function shown({ host, path, exact, to, toOne }: HostRow): string {
  const from = path === '' ? host : `${host}/${path}`;
  if (exact) return `${from} → ${to ?? 'nothing'}`;
  const more = `${from}/* → ${to === undefined ? 'nothing' : `${to}/*`.replace(/^\//, '')}`;
  return toOne === to ? more : `${more}, one: ${toOne === undefined ? 'nothing' : toOne}`;
}

function tableOf(own: readonly PullRule[]): readonly string[] {
  return hostTable(createRuleSet(own)).map(shown);
}

const tables: readonly {
  readonly that: string;
  readonly own: readonly PullRule[];
  readonly is: readonly string[];
}[] = [
  {
    that: 'A host leads to its prefix',
    own: [rule('quay', 'quay.io'), rule('github', 'ghcr.io')],
    is: ['quay.io/* → quay/*', 'ghcr.io/* → github/*'],
  },
  {
    that: 'A prefix that is a host is the mirror’s form of a path',
    own: [rule('quay.io', 'quay.io')],
    is: ['quay.io/quay.io/* → quay.io/*', 'quay.io/* → quay.io/*'],
  },
  {
    that: 'A part that leads elsewhere has a line before the host',
    own: [rule('q', 'quay.io'), rule('etcd', 'quay.io', { upstreamPrefix: 'coreos' })],
    is: ['quay.io/coreos → etcd', 'quay.io/coreos/* → etcd/*', 'quay.io/* → q/*'],
  },
  {
    that: 'So has a part that belongs to another rule’s names',
    own: [rule('a', 'x.corp'), rule('a/b', 'y.corp')],
    is: ['x.corp/b/* → nothing', 'x.corp/* → a/*', 'y.corp/* → a/b/*'],
  },
  {
    that: 'One repository has a line of its own',
    own: [rule('trivy-db', 'ghcr.io', { upstreamPrefix: 'aquasecurity/trivy-db' })],
    is: [
      'ghcr.io/aquasecurity/trivy-db → trivy-db',
      'ghcr.io/aquasecurity/trivy-db/* → trivy-db/*',
    ],
  },
  {
    that: 'Docker Hub’s single names have library/',
    own: [rule('hub', 'docker.io')],
    is: ['docker.io/* → hub/*, one: hub/library'],
  },
  {
    that: 'Or another rule',
    own: [rule('official', 'docker.io', { upstreamPrefix: 'library' }), rule('hub', 'docker.io')],
    is: ['docker.io/library/* → official/*', 'docker.io/* → hub/*, one: official'],
  },
  {
    that: 'ROOT stands for its own upstream, without other names of Docker Hub, which are no names there',
    own: [rule('ROOT', 'cache.corp')],
    is: [
      'cache.corp/registry.hub.docker.com → nothing',
      'cache.corp/registry.hub.docker.com/* → nothing',
      'cache.corp/registry-1.docker.io → nothing',
      'cache.corp/registry-1.docker.io/* → nothing',
      'cache.corp/index.docker.io → nothing',
      'cache.corp/index.docker.io/* → nothing',
      'cache.corp/* → *',
    ],
  },
  {
    that: 'A prefix that is an official image is asked for without library/ too, in the path of a mirror',
    own: [rule('docker.io/library/nginx', 'x.corp', { upstreamPrefix: 'a' })],
    is: [
      'x.corp/registry.hub.docker.com/library/nginx → docker.io/library/nginx',
      'x.corp/registry.hub.docker.com/library/nginx/* → docker.io/library/nginx/*',
      'x.corp/registry-1.docker.io/library/nginx → docker.io/library/nginx',
      'x.corp/registry-1.docker.io/library/nginx/* → docker.io/library/nginx/*',
      'x.corp/index.docker.io/library/nginx → docker.io/library/nginx',
      'x.corp/registry.hub.docker.com/nginx → docker.io/library/nginx',
      'x.corp/index.docker.io/library/nginx/* → docker.io/library/nginx/*',
      'x.corp/registry-1.docker.io/nginx → docker.io/library/nginx',
      'x.corp/docker.io/library/nginx → docker.io/library/nginx',
      'x.corp/docker.io/library/nginx/* → docker.io/library/nginx/*',
      'x.corp/index.docker.io/nginx → docker.io/library/nginx',
      'x.corp/docker.io/nginx → docker.io/library/nginx',
      'x.corp/a → docker.io/library/nginx',
      'x.corp/a/* → docker.io/library/nginx/*',
    ],
  },
  {
    that: 'A name that no image can begin with is no host',
    own: [rule('docker-hub', 'registry')],
    is: [],
  },
];
for (const { that, own, is } of tables) test(`${that}.`, () => assert.deepEqual(tableOf(own), is));

test('The lines of a host have its other names; a frozen one has its own where a rule stands for it.', () => {
  const namesOf = (own: readonly PullRule[], asked: string): readonly string[] | undefined =>
    hostTable(createRuleSet(overBuiltinRules(own))).find(
      ({ host, path }) => host === asked && path === '',
    )?.aliases;
  assert.deepEqual(namesOf([], 'docker.io'), [
    'index.docker.io',
    'registry-1.docker.io',
    'registry.hub.docker.com',
  ]);
  assert.deepEqual(namesOf([], 'registry.k8s.io'), ['k8s.gcr.io']);
  assert.deepEqual(namesOf([rule('old', 'k8s.gcr.io')], 'registry.k8s.io'), []);
});

const part = fc.constantFrom(
  'a',
  'b',
  'library',
  'nginx',
  'docker.io',
  'index.docker.io',
  'quay.io',
  'k8s.gcr.io',
  'registry.k8s.io',
  'hub',
);
const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const upstream = fc.constantFrom('docker.io', 'quay.io', 'registry.k8s.io', 'k8s.gcr.io', 'x.corp');
const ruleLists = fc.uniqueArray(
  fc
    .tuple(fc.oneof(name, fc.constant('ROOT')), upstream, fc.oneof(fc.constant(''), part, name))
    .map(([prefix, host, upstreamPrefix]) => rule(prefix, host, { upstreamPrefix })),
  { selector: ({ prefix }) => prefix, maxLength: 6 },
);
const hosts = fc.oneof(upstream, fc.constantFrom('index.docker.io', 'registry-1.docker.io'));

test('The table says of every name at every host what the rule set does.', () => {
  fc.assert(
    fc.property(
      ruleLists,
      fc.boolean(),
      fc.array(fc.tuple(hosts, name), { minLength: 20, maxLength: 20 }),
      (own, bare, asked) => {
        const rules = createRuleSet(bare ? own : overBuiltinRules(own));
        const find = findRowIn(hostTable(rules));
        for (const [host, there] of asked) {
          const row = find(host, there);
          assert.equal(
            row && applyRow(row, there),
            rules.byHost(host, there)?.repository,
            `${host} ${there}`,
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});
