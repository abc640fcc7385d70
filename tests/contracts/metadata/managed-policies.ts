import { deepEqual, equal } from 'node:assert/strict';
import type { ManagedPolicyMetadata } from '../../../src/metadata/contract/managed-policies.ts';
import type { MetadataRow } from './row.ts';

const account = '111122223333';
const pull = { account, name: 'pull' };
const aws = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly';

function creation(name: string): Parameters<ManagedPolicyMetadata['createManagedPolicy']>[0] {
  const policy = { account, name, path: '/team/', description: 'd', createdAt: 5, updatedAt: 5 };
  return { policy, text: `${name} v1`, policiesMax: 2 };
}

function version(text: string, asDefault: boolean) {
  return { ...pull, text, asDefault, versionsMax: 3, now: 9 };
}

function attachment(principal: string, policy: string, own = true) {
  return { account, principal, policy, own, attachmentsMax: 2, now: 7 };
}

/** Policies that stand for themselves, their versions, and whom they are attached to. */
export const managedPoliciesRows: readonly MetadataRow[] = [
  {
    name: 'a managed policy is made once, with its first version, as many as an account may have',
    async run({ managedPolicies: policies }) {
      equal(await policies.findManagedPolicy(pull), undefined);
      equal(await policies.createManagedPolicy(creation('pull')), 'created');
      equal(await policies.createManagedPolicy(creation('pull')), 'exists');
      const { policy } = creation('pull');
      const row = { ...policy, defaultVersion: 1 };
      deepEqual(await policies.findManagedPolicy(pull), row);
      const first = { version: 1, text: 'pull v1', createdAt: 5 };
      deepEqual(await policies.listPolicyVersions(pull), [first]);
      equal(await policies.createManagedPolicy(creation('Other')), 'created');
      equal(await policies.createManagedPolicy(creation('third')), 'limit');
      equal(await policies.findManagedPolicy({ account, name: 'third' }), undefined);
      const names = (await policies.listManagedPolicies(account)).map(({ name }) => name);
      deepEqual(names, ['Other', 'pull']);
      equal(await policies.findManagedPolicy({ ...pull, account: '000000000000' }), undefined);
    },
  },
  {
    name: 'a managed policy has a bounded number of versions, whose numbers none has twice, and one of them counts',
    async run({ managedPolicies: policies }) {
      const numbers = async () =>
        (await policies.listPolicyVersions(pull)).map((each) => each.version);
      const counts = async () => (await policies.findManagedPolicy(pull))?.defaultVersion;
      equal(await policies.createPolicyVersion(version('two', true)), 'notFound');
      await policies.createManagedPolicy(creation('pull'));
      equal(await policies.createPolicyVersion(version('two', true)), 2);
      equal(await policies.createPolicyVersion(version('three', false)), 3);
      equal(await policies.createPolicyVersion(version('four', true)), 'limit');
      equal(await counts(), 2);
      equal(await policies.deletePolicyVersion({ ...pull, version: 2 }), 'isDefault');
      equal(await policies.deletePolicyVersion({ ...pull, version: 9 }), 'noVersion');
      equal(await policies.deletePolicyVersion({ ...pull, version: 3 }), 'deleted');
      equal(await policies.deleteManagedPolicy(pull), 'hasVersions');
      equal(await policies.createPolicyVersion(version('four', false)), 4);
      deepEqual(await numbers(), [1, 2, 4]);
      const set = { ...pull, now: 11 };
      equal(await policies.setDefaultPolicyVersion({ ...set, version: 3 }), 'noVersion');
      equal(await policies.setDefaultPolicyVersion({ ...set, version: 4 }), 'changed');
      equal(await policies.setDefaultPolicyVersion({ ...set, name: 'x', version: 4 }), 'notFound');
      deepEqual([await counts(), (await policies.findManagedPolicy(pull))?.updatedAt], [4, 11]);
      for (const each of [1, 2]) await policies.deletePolicyVersion({ ...pull, version: each });
      equal(await policies.deleteManagedPolicy(pull), 'deleted');
      equal(await policies.deleteManagedPolicy(pull), 'notFound');
      deepEqual(await numbers(), []);
    },
  },
  {
    name: 'tags of a managed policy are put, replaced and removed, up to a bound',
    async run({ managedPolicies: policies }) {
      const change = (remove: readonly string[], keys: readonly string[]) =>
        policies.changePolicyTags({
          ...pull,
          remove,
          set: keys.map((key) => ({ key, value: '1' })),
          tagsMax: 2,
        });
      const tags = async () =>
        (await policies.findManagedPolicy(pull))?.tags?.map(({ key }) => key);
      equal(await change([], ['a']), 'notFound');
      await policies.createManagedPolicy(creation('pull'));
      equal(await change([], ['b', 'a']), 'changed');
      equal(await change([], ['c']), 'tooMany');
      deepEqual(await tags(), ['a', 'b']);
      equal(await change(['a', 'b'], []), 'changed');
      equal(await tags(), undefined);
    },
  },
  {
    name: 'what is attached to a principal is told with the texts that count, and goes with the principal',
    async run({ managedPolicies: policies, identities }) {
      equal(await policies.attachPolicy(attachment('ann', aws, false)), 'noPrincipal');
      for (const name of ['ann', 'bob'])
        await identities.createPrincipal({ account, name, kind: 'user', createdAt: 3 });
      equal(await policies.attachPolicy(attachment('ann', 'pull')), 'noPolicy');
      await policies.createManagedPolicy(creation('pull'));
      await policies.createManagedPolicy(creation('push'));
      equal(await policies.attachPolicy(attachment('ann', 'pull')), 'attached');
      equal(await policies.attachPolicy(attachment('ann', 'pull')), 'attached');
      equal(await policies.attachPolicy(attachment('ann', aws, false)), 'attached');
      equal(await policies.attachPolicy(attachment('ann', 'push')), 'limit');
      equal(await policies.attachPolicy(attachment('bob', 'pull')), 'attached');
      await policies.createPolicyVersion(version('pull v2', true));
      deepEqual(await policies.listAttachedPolicies(account, 'ann'), [
        { policy: aws, own: undefined },
        { policy: 'pull', own: { path: '/team/', text: 'pull v2' } },
      ]);
      deepEqual(await policies.countAttachments(account), [
        { policy: aws, count: 1 },
        { policy: 'pull', count: 2 },
      ]);
      deepEqual(await policies.listPolicyHolders(account, 'pull'), [
        { principal: 'ann', madeAt: 3 },
        { principal: 'bob', madeAt: 3 },
      ]);
      equal(await policies.deleteManagedPolicy(pull), 'attached');
      const bobs = { account, principal: 'bob', policy: 'pull' };
      equal(await identities.deleteUnusedPrincipal({ account, name: 'bob' }), 'hasAttachments');
      equal(await policies.detachPolicy(bobs), true);
      equal(await policies.detachPolicy(bobs), false);
      equal(await identities.deleteUnusedPrincipal({ account, name: 'bob' }), 'deleted');
      equal(await identities.deletePrincipal({ account, name: 'ann' }), true);
      deepEqual(await policies.listPolicyHolders(account, 'pull'), []);
      await identities.createPrincipal({ account, name: 'ann', kind: 'user', createdAt: 4 });
      deepEqual(await policies.listAttachedPolicies(account, 'ann'), []);
    },
  },
];
