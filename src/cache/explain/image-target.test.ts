import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { RegistryError } from '../../domain/errors.ts';
import { formatReference } from '../../domain/names/reference.ts';
import { createRuleSet } from '../../domain/rules/rule-set.ts';
import { locateImage } from './image-target.ts';

const hub = testRule({
  prefix: 'docker.io',
  urls: [{ origin: 'https://registry-1.docker.io', host: 'registry-1.docker.io', plain: false }],
  upstreamHost: 'docker.io',
});
const quay = testRule({
  prefix: 'quay.io',
  urls: [{ origin: 'https://quay.io', host: 'quay.io', plain: false }],
  upstreamHost: 'quay.io',
});
const team = testRule({ prefix: 'team', upstreamHost: 'registry.team.example' });
const rules = createRuleSet([hub, quay, team]);
const own = new Set(['localhost:5000', 'cache.example']);
const digest = `sha256:${'a'.repeat(64)}`;

const rows: readonly (readonly [string, string | undefined, string, string])[] = [
  ['nginx', 'docker.io', 'docker.io/library/nginx', 'latest'],
  ['nginx:1.27', 'docker.io', 'docker.io/library/nginx', '1.27'],
  ['bitnami/redis', 'docker.io', 'docker.io/bitnami/redis', 'latest'],
  ['docker.io/nginx', 'docker.io', 'docker.io/library/nginx', 'latest'],
  ['index.docker.io/library/nginx:1', 'docker.io', 'docker.io/library/nginx', '1'],
  ['team/app:2', 'team', 'team/app', '2'],
  ['registry.team.example/app:2', 'team', 'team/app', '2'],
  ['quay.io/a/b', 'quay.io', 'quay.io/a/b', 'latest'],
  ['quay.io:443/a/b', 'quay.io', 'quay.io/a/b', 'latest'],
  [`quay.io/a/b:1@${digest}`, 'quay.io', 'quay.io/a/b', digest],
  ['localhost:5000/quay.io/a/b:1', 'quay.io', 'quay.io/a/b', '1'],
  ['cache.example/team/app:1', 'team', 'team/app', '1'],
  ['elsewhere.example:5000/docker.io/nginx:1', 'docker.io', 'docker.io/library/nginx', '1'],
  ['192.0.2.7:5000/quay.io/a/b', 'quay.io', 'quay.io/a/b', 'latest'],
  ['elsewhere.example:5000/team/app:1', undefined, 'team/app', '1'],
  ['cache.example/other/app:1', undefined, 'cache.example/other/app', '1'],
  ['unknown.example/a:1', undefined, 'unknown.example/a', '1'],
  ['unknown.example:5000/a:1', undefined, 'a', '1'],
];

suite('an image as people write it leads to its rule', () => {
  for (const [text, prefix, repository, reference] of rows)
    test(`${text} is ${repository} of ${prefix ?? 'no rule'}`, () => {
      const found = locateImage(text, rules, own);
      assert.equal(found.target.rule?.prefix, prefix);
      assert.equal(found.target.repository, repository);
      assert.equal(formatReference(found.reference), reference);
    });

  test('with ROOT, a bare name is a path of ours as it would be pulled', () => {
    const root = testRule({ prefix: 'ROOT', upstreamHost: 'root.example' });
    const { target } = locateImage('team2/app', createRuleSet([hub, root]), own);
    assert.equal(target.rule?.prefix, 'ROOT');
    assert.equal(target.repository, 'team2/app');
  });

  for (const text of [
    '',
    'UPPER',
    'a b',
    'a@b',
    'a:b:c',
    '../x',
    `a@sha256:${'a'.repeat(63)}`,
    'a'.repeat(5000),
  ])
    test(`${JSON.stringify(text.slice(0, 20))} is no image`, () => {
      assert.throws(
        () => locateImage(text, rules, own),
        (error) => error instanceof RegistryError && error.code === 'requestInvalid',
      );
    });
});
