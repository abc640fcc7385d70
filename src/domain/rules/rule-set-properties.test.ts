import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ruleFor as rule } from '../../../tests/support/rigs/pull-server.ts';
import { overBuiltinRules } from './builtin-rules.ts';
import { normalizeHost } from '../names/host-name.ts';
import { canonicalName, createRuleSet } from './rule-set.ts';

const part = fc.constantFrom(
  'a',
  'b',
  'library',
  'nginx',
  'docker.io',
  'quay.io',
  'k8s.gcr.io',
  'hub',
);
const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const upstream = fc.constantFrom('docker.io', 'quay.io', 'registry.k8s.io', 'k8s.gcr.io', 'x.corp');
const ruleLists = fc.uniqueArray(
  fc
    .tuple(fc.oneof(name, fc.constant('ROOT')), upstream, fc.oneof(fc.constant(''), part, name))
    .map(([prefix, host, upstreamPrefix]) => rule(prefix, host, { upstreamPrefix })),
  { selector: ({ prefix }) => prefix, maxLength: 6 },
);

test('what a path leads to leads to itself', () => {
  fc.assert(
    fc.property(ruleLists, name, (own, asked) => {
      const rules = createRuleSet(overBuiltinRules(own));
      const target = rules.byPath(asked);
      if (target !== undefined) assert.deepEqual(rules.byPath(target.repository), target);
    }),
    { numRuns: 2000 },
  );
});

test('T33: a repository has one rule and one name upstream, however it was asked for', () => {
  fc.assert(
    fc.property(ruleLists, upstream, name, (own, host, asked) => {
      const rules = createRuleSet(overBuiltinRules(own));
      const target = rules.byHost(host, asked);
      if (target !== undefined) assert.deepEqual(rules.byPath(target.repository), target);
    }),
    { numRuns: 2000 },
  );
});

test('T33: two names upstream never share a repository', () => {
  fc.assert(
    fc.property(ruleLists, name, name, (own, one, other) => {
      const rules = createRuleSet(overBuiltinRules(own));
      const [a, b] = [rules.byPath(one), rules.byPath(other)];
      if (a === undefined || b === undefined) return;
      const same = a.rule === b.rule && a.upstreamRepository === b.upstreamRepository;
      assert.equal(a.repository === b.repository, same);
    }),
    { numRuns: 2000 },
  );
});

test('a name at a host is asked for under that name, of that host or of what stands in its place', () => {
  fc.assert(
    fc.property(ruleLists, upstream, name, (own, host, asked) => {
      const rules = createRuleSet(overBuiltinRules(own));
      const { rule: chosen, upstreamRepository } = rules.byHost(host, asked) ?? {};
      if (chosen === undefined || upstreamRepository === undefined) return;
      fc.pre(!asked.includes('.io/') && !asked.includes('k8s.gcr.io'));
      if (chosen.upstreamHost !== normalizeHost(host)) return;
      if (chosen.prefix === host || chosen.prefix.startsWith(`${host}/`)) return;
      const there = host === 'docker.io' && !asked.includes('/') ? `library/${asked}` : asked;
      assert.equal(upstreamRepository, there);
    }),
    { numRuns: 2000 },
  );
});

test('T35: a host that no rule names leads nowhere', () => {
  fc.assert(
    fc.property(ruleLists, fc.domain(), name, (own, host, asked) => {
      assert.equal(
        createRuleSet(overBuiltinRules(own)).byHost(`${host}.invalid`, asked),
        undefined,
      );
    }),
  );
});

test('a host is normalized once and for all', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.domain(), fc.string(), fc.constantFrom('registry-1.docker.io:443', 'K8S.gcr.io')),
      (host) => {
        fc.pre(!host.endsWith(':443:443'));
        assert.equal(normalizeHost(normalizeHost(host)), normalizeHost(host));
      },
    ),
  );
});

for (const [written, canonical] of [
  ['index.docker.io/nginx', 'docker.io/library/nginx'],
  ['docker.io/a/b', 'docker.io/a/b'],
  ['k8s.gcr.io/pause', 'registry.k8s.io/pause'],
  ['corp/x', 'corp/x'],
  ['nginx', 'nginx'],
  ['Corp/x', undefined],
] as const) {
  test(`without any rule ${written} is held as ${canonical}`, () => {
    assert.equal(canonicalName(written), canonical);
  });
}
