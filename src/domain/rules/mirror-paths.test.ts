import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ruleFor as rule } from '../../../tests/support/rigs/pull-server.ts';
import { overBuiltinRules } from './builtin-rules.ts';
import type { PullRule } from './pull-rule.ts';
import { createRuleSet } from './rule-set.ts';

const named = [rule('quay', 'quay.io'), rule('github', 'ghcr.io')];

interface Row {
  readonly that: string;
  readonly own?: readonly PullRule[];
  readonly host: string;
  /** What stands before `/v2`. */
  readonly before?: string;
  readonly name: string;
  readonly is: string | undefined;
}

const rows: readonly Row[] = [
  {
    that: 'a path that begins as a rule’s prefix is a name',
    own: named,
    host: 'quay.io',
    name: 'quay/busybox',
    is: 'quay/quay/busybox',
  },
  {
    that: 'and so it is at every other host',
    own: named,
    host: 'ghcr.io',
    name: 'github/super-linter',
    is: 'github/github/super-linter',
  },
  {
    that: 'a prefix that is a host is the path of a mirror',
    own: named,
    host: 'quay.io',
    name: 'quay.io/quay/busybox',
    is: 'quay.io/quay/busybox',
  },
  {
    that: 'what stands before /v2 is no part of the name',
    own: named,
    host: 'quay.io',
    before: 'quay',
    name: 'busybox',
    is: 'quay/busybox',
  },
  {
    that: 'it chooses among the rules of the host',
    own: [...named, rule('quay-in', 'quay.io')],
    host: 'quay.io',
    before: 'quay-in',
    name: 'busybox',
    is: 'quay-in/busybox',
  },
  {
    that: 'it may be a host, and the ns another name of it',
    host: 'index.docker.io',
    before: 'docker.io',
    name: 'nginx',
    is: 'docker.io/library/nginx',
  },
  {
    that: 'a rule of another host there is none of this one',
    own: named,
    host: 'quay.io',
    before: 'github',
    name: 'busybox',
    is: undefined,
  },
  {
    that: 'what is no rule there leads nowhere',
    host: 'quay.io',
    before: 'cache',
    name: 'busybox',
    is: undefined,
  },
  {
    that: 'nor to ROOT',
    own: [rule('ROOT', 'cache.corp')],
    host: 'cache.corp',
    before: 'cache',
    name: 'busybox',
    is: undefined,
  },
];
for (const { that, own = [], host, before, name, is } of rows)
  test(`at a host, ${that}: ${before === undefined ? '' : `/${before}`}/v2/${name} of ${host}`, () => {
    const target = createRuleSet(overBuiltinRules(own)).byHost(host, name, before);
    assert.equal(target?.repository, is);
  });
