import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ruleFor as rule } from '../../../tests/support/rigs/pull-server.ts';
import { builtinRules, overBuiltinRules } from './builtin-rules.ts';
import type { PullRule, PullTarget } from './pull-rule.ts';
import { createRuleSet } from './rule-set.ts';
import type { RuleSet } from './rule-set.ts';

/** `quay.io → a/b as quay.io/a/b`. */
function shown(target: PullTarget | undefined): string | undefined {
  return target && `${target.rule?.prefix} → ${target.upstreamRepository} as ${target.repository}`;
}

const hubRule = rule('docker-hub', 'registry-1.docker.io');
const credential = { name: 'c', username: 'u', accessToken: 't' };

interface Row {
  readonly title: string;
  /** File rules; the built-in ones lie below them unless `bare`. */
  readonly own?: readonly PullRule[];
  readonly bare?: true;
  readonly name: string;
  readonly is: string | undefined;
}

const paths: readonly Row[] = [
  {
    title: 'a built-in rule needs no configuration',
    name: 'quay.io/a/b',
    is: 'quay.io → a/b as quay.io/a/b',
  },
  {
    title: 'T41: library/ is added',
    name: 'docker.io/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T41: library/ is not doubled',
    name: 'docker.io/library/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T41: a name of two parts stays',
    name: 'docker.io/grafana/grafana',
    is: 'docker.io → grafana/grafana as docker.io/grafana/grafana',
  },
  {
    title: 'T41: other registries get no library/',
    name: 'quay.io/nginx',
    is: 'quay.io → nginx as quay.io/nginx',
  },
  {
    title: 'T41: a rule whose upstream is Docker Hub adds it',
    own: [hubRule],
    name: 'docker-hub/nginx',
    is: 'docker-hub → library/nginx as docker-hub/library/nginx',
  },
  {
    title: 'T41: under an upstreamPrefix a single part is no official image',
    own: [rule('bitnami', 'docker.io', { upstreamPrefix: 'bitnami' })],
    name: 'bitnami/redis',
    is: 'bitnami → bitnami/redis as bitnami/redis',
  },
  {
    title: 'T41: a chained cache gets library/ behind its own prefix',
    own: [rule('docker.io', 'cache.corp', { upstreamPrefix: 'hub' })],
    name: 'docker.io/nginx',
    is: 'docker.io → hub/library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T41: ROOT that leads to Docker Hub adds it',
    own: [rule('ROOT', 'docker.io')],
    name: 'nginx',
    is: 'ROOT → library/nginx as library/nginx',
  },
  {
    title: 'T41: an added library/ can lead to a longer prefix',
    own: [rule('docker.io/library', 'cache.corp')],
    name: 'docker.io/nginx',
    is: 'docker.io/library → nginx as docker.io/library/nginx',
  },
  {
    title: 'index.docker.io is docker.io',
    name: 'index.docker.io/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'registry-1.docker.io is docker.io',
    name: 'registry-1.docker.io/library/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'registry.hub.docker.com is docker.io',
    name: 'registry.hub.docker.com/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'docker.io:443 is docker.io',
    name: 'docker.io:443/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'index.docker.io:443 is docker.io',
    name: 'index.docker.io:443/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'a prefix may be spelled by an alias',
    own: [rule('index.docker.io', 'cache.corp')],
    name: 'docker.io/a/b',
    is: 'index.docker.io → a/b as docker.io/a/b',
  },
  {
    title: 'k8s.gcr.io is registry.k8s.io',
    name: 'k8s.gcr.io/pause',
    is: 'registry.k8s.io → pause as registry.k8s.io/pause',
  },
  {
    title: 'a rule of its own for k8s.gcr.io stands',
    own: [rule('k8s.gcr.io', 'k8s.gcr.io')],
    name: 'k8s.gcr.io/pause',
    is: 'k8s.gcr.io → pause as k8s.gcr.io/pause',
  },
  {
    title: 'k8s.gcr.io goes before ROOT',
    own: [rule('ROOT', 'cache.corp')],
    name: 'k8s.gcr.io/pause',
    is: 'registry.k8s.io → pause as registry.k8s.io/pause',
  },
  {
    title: 'without its rule k8s.gcr.io is nothing',
    bare: true,
    name: 'k8s.gcr.io/pause',
    is: undefined,
  },
  {
    title: 'the longest prefix wins',
    own: [rule('a', 'a.corp'), rule('a/b', 'b.corp')],
    name: 'a/b/c',
    is: 'a/b → c as a/b/c',
  },
  {
    title: 'prefixes end at slashes',
    own: [rule('a', 'a.corp'), rule('a/b', 'b.corp')],
    name: 'a/bc/d',
    is: 'a → bc/d as a/bc/d',
  },
  { title: 'a look-alike host is no prefix', name: 'quay.iox/a', is: undefined },
  { title: 'docker.io.evil is not docker.io', name: 'docker.io.evil/nginx', is: undefined },
  { title: 'a name that is a prefix and no more has no rule', name: 'quay.io', is: undefined },
  {
    title: 'ROOT catches the rest',
    own: [rule('ROOT', 'cache.corp')],
    name: 'x/y',
    is: 'ROOT → x/y as x/y',
  },
  {
    title: 'ROOT comes last',
    own: [rule('ROOT', 'cache.corp')],
    name: 'quay.io/a',
    is: 'quay.io → a as quay.io/a',
  },
  {
    title: 'an upstreamPrefix goes before the name',
    own: [rule('etcd', 'quay.io', { upstreamPrefix: 'coreos' })],
    name: 'etcd/etcd',
    is: 'etcd → coreos/etcd as etcd/etcd',
  },
  {
    title: 'a file rule replaces the built-in one',
    own: [rule('quay.io', 'cache.corp', { upstreamPrefix: 'q' })],
    name: 'quay.io/a',
    is: 'quay.io → q/a as quay.io/a',
  },
  { title: 'no rule, no target', bare: true, name: 'quay.io/a', is: undefined },
  {
    title: 'a prefix that names a repository is that repository',
    own: [rule('docker.io/aquasec/trivy-db', 'registry-1.docker.io')],
    name: 'docker.io/aquasec/trivy-db',
    is: 'docker.io/aquasec/trivy-db → aquasec/trivy-db as docker.io/aquasec/trivy-db',
  },
  {
    title: 'an alias of its host names it too',
    own: [rule('docker.io/aquasec/trivy-db', 'registry-1.docker.io')],
    name: 'index.docker.io/aquasec/trivy-db',
    is: 'docker.io/aquasec/trivy-db → aquasec/trivy-db as docker.io/aquasec/trivy-db',
  },
  {
    title: 'and no other repository',
    own: [rule('docker.io/aquasec/trivy-db', 'registry-1.docker.io')],
    name: 'docker.io/aquasec/trivy',
    is: 'docker.io → aquasec/trivy as docker.io/aquasec/trivy',
  },
  {
    title: 'and not what only begins alike',
    own: [rule('docker.io/aquasec/trivy-db', 'registry-1.docker.io')],
    name: 'docker.io/aquasec/trivy-db2',
    is: 'docker.io → aquasec/trivy-db2 as docker.io/aquasec/trivy-db2',
  },
  {
    title: 'its upstreamPrefix is the whole name upstream',
    own: [rule('trivy-db', 'ghcr.io', { upstreamPrefix: 'aquasecurity/trivy-db' })],
    name: 'trivy-db',
    is: 'trivy-db → aquasecurity/trivy-db as trivy-db',
  },
  {
    title: 'a prefix that leads elsewhere takes the name there from upstreamPrefix',
    own: [rule('docker.io/aquasec/trivy-db', 'cache.corp', { upstreamPrefix: 'hub/trivy-db' })],
    name: 'docker.io/aquasec/trivy-db',
    is: 'docker.io/aquasec/trivy-db → hub/trivy-db as docker.io/aquasec/trivy-db',
  },
  {
    title: 'without one it names nothing there',
    own: [rule('docker.io/aquasec/trivy-db', 'cache.corp')],
    name: 'docker.io/aquasec/trivy-db',
    is: 'docker.io → aquasec/trivy-db as docker.io/aquasec/trivy-db',
  },
  {
    title: 'T41: an official image is named with library/ and without',
    own: [rule('docker.io/library/nginx', 'docker.io')],
    name: 'docker.io/nginx',
    is: 'docker.io/library/nginx → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T41: and so may its prefix',
    bare: true,
    own: [rule('docker.io/nginx', 'docker.io')],
    name: 'docker.io/nginx',
    is: 'docker.io/nginx → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T41: that prefix is no namespace for the official name',
    own: [rule('docker.io/nginx', 'docker.io')],
    name: 'docker.io/library/nginx',
    is: 'docker.io/nginx → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T41: the official image does not belong to a namespace of its name',
    own: [rule('docker.io/nginx', 'docker.io', { upstreamPrefix: 'nginx' })],
    name: 'docker.io/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T41: what is in that namespace does',
    own: [rule('docker.io/nginx', 'docker.io', { upstreamPrefix: 'nginx' })],
    name: 'docker.io/nginx/nginx-ingress',
    is: 'docker.io/nginx → nginx/nginx-ingress as docker.io/nginx/nginx-ingress',
  },
  {
    title: 'k8s.gcr.io leads to a prefix that names a repository of its successor',
    own: [rule('registry.k8s.io/pause', 'registry.k8s.io')],
    name: 'k8s.gcr.io/pause',
    is: 'registry.k8s.io/pause → pause as registry.k8s.io/pause',
  },
  { title: 'what is no name has no target', name: 'quay.io/../x', is: undefined },
  { title: 'capitals are no name', name: 'Quay.io/x', is: undefined },
  {
    title: 'a name that library/ makes too long has no target',
    own: [hubRule],
    name: `docker-hub/${'a'.repeat(240)}`,
    is: undefined,
  },
  {
    title: 'a name that an upstreamPrefix makes too long has no target',
    own: [rule('x', 'x.corp', { upstreamPrefix: 'p'.repeat(100) })],
    name: `x/${'a'.repeat(200)}`,
    is: undefined,
  },
];
for (const row of paths) {
  test(`by path, ${row.title}: ${row.name.slice(0, 60)}`, () => {
    assert.equal(shown(rulesOf(row).byPath(row.name)), row.is);
  });
}

const atHosts: readonly (Row & { readonly host: string })[] = [
  { title: 'T35: an unknown host is nothing', host: 'evil.example', name: 'x', is: undefined },
  {
    title: 'T35: an unknown host is not ROOT',
    own: [rule('ROOT', 'cache.corp')],
    host: 'evil.example',
    name: 'x',
    is: undefined,
  },
  {
    title: 'T35: an address is nothing',
    own: [rule('ROOT', 'cache.corp')],
    host: '169.254.169.254',
    name: 'x',
    is: undefined,
  },
  { title: 'T35: another port is another host', host: 'quay.io:8443', name: 'a', is: undefined },
  { title: 'T35: a host with a user is nothing', host: 'a@quay.io', name: 'a', is: undefined },
  {
    title: 'T35: an empty host is nothing',
    own: [rule('ROOT', 'cache.corp')],
    host: '',
    name: 'a',
    is: undefined,
  },
  {
    title: 'T35: a path that names another rule does not help an unknown host',
    host: 'evil.example',
    name: 'quay.io/a',
    is: undefined,
  },
  {
    title: 'T35: case does not matter',
    host: 'QUAY.io',
    name: 'a',
    is: 'quay.io → a as quay.io/a',
  },
  {
    title: "T35: https's own port does not matter",
    host: 'quay.io:443',
    name: 'a',
    is: 'quay.io → a as quay.io/a',
  },
  {
    title: 'T35: index.docker.io is docker.io',
    host: 'Index.Docker.io:443',
    name: 'nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T35: registry-1.docker.io is docker.io',
    host: 'registry-1.docker.io',
    name: 'library/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T35: registry.hub.docker.com is docker.io',
    host: 'registry.hub.docker.com',
    name: 'a/b',
    is: 'docker.io → a/b as docker.io/a/b',
  },
  {
    title: 'k8s.gcr.io is registry.k8s.io',
    host: 'k8s.gcr.io',
    name: 'pause',
    is: 'registry.k8s.io → pause as registry.k8s.io/pause',
  },
  {
    title: "k8s.gcr.io is what a user's rule makes of registry.k8s.io",
    own: [rule('k8s', 'registry.k8s.io')],
    host: 'k8s.gcr.io',
    name: 'pause',
    is: 'k8s → pause as k8s/pause',
  },
  {
    title: 'a rule for the frozen host does not stand for its successor',
    own: [rule('old', 'k8s.gcr.io')],
    host: 'registry.k8s.io',
    name: 'pause',
    is: 'registry.k8s.io → pause as registry.k8s.io/pause',
  },
  {
    title: 'T41: library/ is added (ctr) or there (CRI)',
    host: 'docker.io',
    name: 'nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'a path with the prefix of the rule means the rest',
    host: 'docker.io',
    name: 'docker.io/library/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'that prefix may be an alias',
    host: 'docker.io',
    name: 'index.docker.io/nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'and of k8s.gcr.io too',
    host: 'k8s.gcr.io',
    name: 'k8s.gcr.io/pause',
    is: 'registry.k8s.io → pause as registry.k8s.io/pause',
  },
  {
    title: 'a path with the prefix of a rule for another host is a name',
    host: 'quay.io',
    name: 'ghcr.io/a',
    is: 'quay.io → ghcr.io/a as quay.io/ghcr.io/a',
  },
  {
    title: "a user's rule goes before a built-in one",
    own: [rule('k8s', 'registry.k8s.io')],
    host: 'registry.k8s.io',
    name: 'pause',
    is: 'k8s → pause as k8s/pause',
  },
  {
    title: 'the longest upstreamPrefix goes first',
    own: [rule('q', 'quay.io'), rule('c', 'quay.io', { upstreamPrefix: 'coreos' })],
    host: 'quay.io',
    name: 'coreos/etcd',
    is: 'c → coreos/etcd as c/etcd',
  },
  {
    title: 'an upstreamPrefix must fit',
    own: [rule('c', 'quay.io', { upstreamPrefix: 'coreos' })],
    host: 'quay.io',
    name: 'other/x',
    is: 'quay.io → other/x as quay.io/other/x',
  },
  {
    title: 'an upstreamPrefix fits whole parts',
    own: [rule('c', 'quay.io', { upstreamPrefix: 'coreos' })],
    host: 'quay.io',
    name: 'coreosx/y',
    is: 'quay.io → coreosx/y as quay.io/coreosx/y',
  },
  {
    title: 'an upstreamPrefix of library holds official images',
    own: [rule('official', 'docker.io', { upstreamPrefix: 'library' })],
    host: 'docker.io',
    name: 'nginx',
    is: 'official → library/nginx as official/nginx',
  },
  {
    title: 'then the prefix equal to the host',
    own: [rule('q', 'quay.io'), rule('quay.io', 'quay.io')],
    host: 'quay.io',
    name: 'a',
    is: 'quay.io → a as quay.io/a',
  },
  {
    title: 'then one with a credential',
    own: [rule('q', 'quay.io'), rule('r', 'quay.io', { credential })],
    host: 'quay.io',
    name: 'a',
    is: 'r → a as r/a',
  },
  {
    title: 'then the oldest',
    own: [rule('q', 'quay.io'), rule('r', 'quay.io')],
    host: 'quay.io',
    name: 'a',
    is: 'q → a as q/a',
  },
  {
    title: 'a prefix stands for its host wherever it leads',
    own: [rule('quay.io', 'cache.corp', { upstreamPrefix: 'q' })],
    host: 'quay.io',
    name: 'a',
    is: 'quay.io → q/a as quay.io/a',
  },
  {
    title: 'T41: so does Docker Hub behind a chained cache',
    own: [rule('docker.io', 'cache.corp', { upstreamPrefix: 'hub' })],
    host: 'docker.io',
    name: 'nginx',
    is: 'docker.io → hub/library/nginx as docker.io/library/nginx',
  },
  {
    title: 'the chained cache itself is a host too',
    own: [rule('docker.io', 'cache.corp', { upstreamPrefix: 'hub' })],
    host: 'cache.corp',
    name: 'hub/library/nginx',
    is: 'docker.io → hub/library/nginx as docker.io/library/nginx',
  },
  {
    title: 'where the name there is none of its, nothing is guessed',
    own: [rule('docker.io', 'cache.corp', { upstreamPrefix: 'hub' })],
    host: 'cache.corp',
    name: 'hub/nginx',
    is: undefined,
  },
  {
    title: 'a host with a port is an upstream as any',
    own: [rule('t', '127.0.0.1:5050')],
    host: '127.0.0.1:5050',
    name: 'a',
    is: 't → a as t/a',
  },
  {
    title: "port 80 is plain http's own",
    own: [
      rule('t', 'h.corp', { urls: [{ origin: 'http://h.corp', host: 'h.corp', plain: true }] }),
    ],
    host: 'h.corp:80',
    name: 'a',
    is: 't → a as t/a',
  },
  {
    title: "port 80 is not https's own",
    own: [rule('t', 'h.corp')],
    host: 'h.corp:80',
    name: 'a',
    is: undefined,
  },
  {
    title: 'ROOT stands for its own upstream',
    own: [rule('ROOT', 'cache.corp')],
    host: 'cache.corp',
    name: 'a/b',
    is: 'ROOT → a/b as a/b',
  },
  {
    title: "T33: ROOT's upstream does not share a repository with another rule",
    own: [rule('ROOT', 'cache.corp')],
    host: 'cache.corp',
    name: 'quay.io/a',
    is: undefined,
  },
  {
    title: 'T33: a name under a longer prefix belongs to that rule alone',
    own: [rule('a', 'x.corp'), rule('a/b', 'y.corp')],
    host: 'x.corp',
    name: 'b/c',
    is: undefined,
  },
  {
    title: 'a part of a host that was diverted goes where it was diverted',
    own: [rule('quay.io/corp', 'y.corp')],
    host: 'quay.io',
    name: 'corp/x',
    is: 'quay.io/corp → x as quay.io/corp/x',
  },
  { title: 'what is no name is nothing', host: 'quay.io', name: '../x', is: undefined },
  {
    title: 'a path that begins as the prefix of a rule is a name where that prefix is no host',
    own: [rule('quay', 'quay.io')],
    host: 'quay.io',
    name: 'quay/busybox',
    is: 'quay → quay/busybox as quay/quay/busybox',
  },
  {
    title: 'and of Docker Hub too',
    own: [rule('hub', 'docker.io')],
    host: 'docker.io',
    name: 'hub/nginx',
    is: 'hub → hub/nginx as hub/hub/nginx',
  },
  {
    title: 'a prefix that names a repository is found at its host',
    own: [rule('docker.io/aquasec/trivy-db', 'registry-1.docker.io')],
    host: 'docker.io',
    name: 'aquasec/trivy-db',
    is: 'docker.io/aquasec/trivy-db → aquasec/trivy-db as docker.io/aquasec/trivy-db',
  },
  {
    title: 'by its upstreamPrefix too',
    own: [rule('trivy-db', 'ghcr.io', { upstreamPrefix: 'aquasecurity/trivy-db' })],
    host: 'ghcr.io',
    name: 'aquasecurity/trivy-db',
    is: 'trivy-db → aquasecurity/trivy-db as trivy-db',
  },
  {
    title: 'and stands for nothing else there',
    own: [rule('docker.io/aquasec/trivy-db', 'registry-1.docker.io')],
    host: 'docker.io',
    name: 'nginx',
    is: 'docker.io → library/nginx as docker.io/library/nginx',
  },
  {
    title: 'T41: an official image is found by either name',
    own: [rule('docker.io/nginx', 'docker.io')],
    host: 'docker.io',
    name: 'nginx',
    is: 'docker.io/nginx → library/nginx as docker.io/library/nginx',
  },
];
for (const row of atHosts) {
  test(`at a host, ${row.title}: ${row.host} ${row.name}`, () => {
    assert.equal(shown(rulesOf(row).byHost(row.host, row.name)), row.is);
  });
}

function rulesOf(row: Row): RuleSet {
  return createRuleSet(row.bare === true ? (row.own ?? []) : overBuiltinRules(row.own ?? []));
}

test('the built-in rules are those of the design, each under its host', () => {
  assert.deepEqual(
    builtinRules.map(({ prefix, upstreamHost, urls }) => [prefix, upstreamHost, urls[0].origin]),
    [
      ['docker.io', 'docker.io', 'https://registry-1.docker.io'],
      ...[
        'registry.k8s.io',
        'quay.io',
        'ghcr.io',
        'public.ecr.aws',
        'gcr.io',
        'registry.gitlab.com',
        'mcr.microsoft.com',
        'cgr.dev',
      ].map((host) => [host, host, `https://${host}`]),
    ],
  );
});
