import { deepEqual, equal } from 'node:assert/strict';
import { registryKey } from '../../../src/domain/names/registry.ts';
import type { RegistryKey } from '../../../src/domain/names/registry.ts';
import type { PullRuleRow } from '../../../src/metadata/contract/rows.ts';
import type { MetadataRow } from './row.ts';
import { home } from './samples.ts';

const allMax = 1000;
const other = registryKey({ account: '111122223333', region: 'eu-west-2' });

function rule(prefix: string, registry: RegistryKey = home): PullRuleRow {
  return {
    registry,
    prefix,
    id: `R-${registry}-${prefix}`,
    givenPrefix: `${prefix}/`,
    upstreamUrl: 'Docker.io',
    upstreamRegistry: undefined,
    upstreamPrefix: undefined,
    credentialArn: undefined,
    roleArn: undefined,
    settings: {},
    holder: undefined,
    createdAt: 1,
    updatedAt: 1,
  };
}

const whole: PullRuleRow = {
  ...rule('whole'),
  upstreamRegistry: 'docker-hub',
  upstreamPrefix: 'ROOT',
  credentialArn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub',
  roleArn: 'arn:aws:iam::000000000000:role/pull',
  settings: { freshForMs: 5, platforms: ['linux/amd64'], onFailure: { denied: 'stop' } },
  holder: { secret: 'arn:hub', username: 'ann', account: undefined },
};

/** Rules that are made through an API. */
export const rulesRows: readonly MetadataRow[] = [
  {
    name: 'a rule is made once in its registry and read back as it was given',
    async run({ rules }) {
      equal(await rules.hasPullRules(), false);
      equal(await rules.createPullRule({ rule: whole, rulesMax: 5, allMax }), 'created');
      const again = { ...whole, id: 'R-2', upstreamUrl: 'quay.io' };
      equal(await rules.createPullRule({ rule: again, rulesMax: 5, allMax }), 'exists');
      const elsewhere = { ...whole, id: 'R-3', registry: other };
      equal(await rules.createPullRule({ rule: elsewhere, rulesMax: 5, allMax }), 'created');
      equal(await rules.hasPullRules(), true);
      deepEqual(await rules.findPullRule(whole), whole);
      deepEqual(await rules.findPullRule({ registry: other, prefix: 'whole' }), elsewhere);
      equal(await rules.findPullRule({ registry: home, prefix: 'whol' }), undefined);
    },
  },
  {
    name: 'a registry has so many rules at most, and what is one too many leaves nothing',
    async run({ rules }) {
      for (const prefix of ['a', 'b'])
        equal(await rules.createPullRule({ rule: rule(prefix), rulesMax: 2, allMax }), 'created');
      equal(await rules.createPullRule({ rule: rule('c'), rulesMax: 2, allMax }), 'limit');
      equal(await rules.findPullRule(rule('c')), undefined);
      equal(await rules.createPullRule({ rule: rule('a'), rulesMax: 2, allMax }), 'exists');
      equal(
        await rules.createPullRule({ rule: rule('c', other), rulesMax: 2, allMax: 2 }),
        'limit',
      );
      equal(
        await rules.createPullRule({ rule: rule('c', other), rulesMax: 2, allMax: 3 }),
        'created',
      );
    },
  },
  {
    name: 'rules of all registries are listed in byte order',
    async run({ rules }) {
      const all = [rule('a'), rule('a-b'), rule('a/b'), rule('é'), rule('a', other)];
      for (const each of all.toReversed())
        await rules.createPullRule({ rule: each, rulesMax: 10, allMax });
      deepEqual(await rules.listAllPullRules(rule('a'), 2), all.slice(1, 3));
      deepEqual(await rules.listAllPullRules(undefined, 10), all);
      deepEqual(await rules.listAllPullRules(rule('a/b'), 10), all.slice(3));
      deepEqual(await rules.listAllPullRules(rule('a', other), 10), []);
    },
  },
  {
    name: 'a change leaves what it does not name, and null takes away',
    async run({ rules }) {
      await rules.createPullRule({ rule: whole, rulesMax: 5, allMax });
      const changed = { ...whole, updatedAt: 9, credentialArn: 'arn:other' };
      const { registry, prefix } = whole;
      const update = { registry, prefix, id: whole.id, now: 9 };
      deepEqual(
        await rules.updatePullRule({ ...update, change: { credentialArn: 'arn:other' } }),
        changed,
      );
      const settings = { freshForMs: null, push: true } as const;
      const { freshForMs: _, ...kept } = whole.settings;
      const last = { ...changed, settings: { ...kept, push: true }, roleArn: undefined };
      deepEqual(
        await rules.updatePullRule({ ...update, change: { settings, roleArn: null } }),
        last,
      );
      deepEqual(await rules.findPullRule(whole), last);
      const none = { registry: other, prefix, id: whole.id, now: 9, change: {} };
      equal(await rules.updatePullRule(none), undefined);
    },
  },
  {
    name: 'changes beside each other are all made',
    async run({ rules }) {
      await rules.createPullRule({ rule: rule('a'), rulesMax: 5, allMax });
      const change = { registry: home, prefix: 'a', id: rule('a').id, now: 2 };
      await Promise.all([
        rules.updatePullRule({ ...change, change: { settings: { push: true } } }),
        rules.updatePullRule({ ...change, change: { settings: { freshForMs: 1 } } }),
        rules.updatePullRule({ ...change, change: { credentialArn: 'arn' } }),
      ]);
      const found = await rules.findPullRule(change);
      deepEqual(found?.settings, { push: true, freshForMs: 1 });
      equal(found?.credentialArn, 'arn');
    },
  },
  {
    name: 'whose secret was read last is kept over changes, and for no rule that is gone',
    async run({ rules }) {
      const { id } = rule('a');
      const holder = { secret: 'arn:hub', username: 'bob', account: 'digest' };
      equal(await rules.setRuleHolder({ id, holder }), false);
      await rules.createPullRule({ rule: rule('a'), rulesMax: 5, allMax });
      equal(await rules.setRuleHolder({ id, holder }), true);
      await rules.updatePullRule({ registry: home, prefix: 'a', id, change: {}, now: 2 });
      deepEqual((await rules.findPullRule(rule('a')))?.holder, holder);
    },
  },
  {
    name: 'a deleted rule is answered as it was, and its prefix is free',
    async run({ rules }) {
      await rules.createPullRule({ rule: whole, rulesMax: 1, allMax });
      deepEqual(await rules.deletePullRule(whole), whole);
      equal(await rules.deletePullRule(whole), undefined);
      equal(
        await rules.createPullRule({ rule: { ...whole, id: 'R-9' }, rulesMax: 1, allMax }),
        'created',
      );
      const { registry, prefix, id } = whole;
      const change = { credentialArn: 'arn:other' };
      equal(await rules.updatePullRule({ registry, prefix, id, change, now: 9 }), undefined);
      deepEqual(await rules.findPullRule(whole), { ...whole, id: 'R-9' });
    },
  },
];
