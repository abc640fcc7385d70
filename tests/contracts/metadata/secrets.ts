import { deepEqual, equal } from 'node:assert/strict';
import type { SecretListing } from '../../../src/domain/secrets/secret-listing.ts';
import type { Secret } from '../../../src/domain/secrets/secret.ts';
import type { MetadataRow } from './row.ts';
import { home } from './samples.ts';

const hub: Secret = {
  registry: home,
  name: 'ecr-pullthroughcache/hub',
  suffix: 'AbCdEf',
  description: 'd',
  tags: [{ key: 'team', value: 'a' }],
  token: 't',
  createdAt: 5,
  changedAt: 5,
  versions: [{ id: 'v1', stages: ['AWSCURRENT'], createdAt: 5 }],
};
const creation = { secret: hub, sealed: 'v1.sealed', secretsMax: 3, now: 5 };
const empty = (name: string, createdAt = 1): Secret => ({
  registry: home,
  name,
  suffix: 'aaaaaa',
  tags: [],
  token: 't',
  createdAt,
  changedAt: createdAt,
  versions: [],
});
const all: SecretListing & { readonly now: number; readonly others: readonly Secret[] } = {
  filters: [],
  withDeleted: false,
  by: 'created-date',
  descending: false,
  after: undefined,
  limit: 10,
  now: 20,
  others: [],
};

/** Secrets and their sealed values. */
export const secretsRows: readonly MetadataRow[] = [
  {
    name: 'a secret is kept with its value, once for each name, as many as a registry may have',
    async run({ secrets }) {
      equal(await secrets.findSecret(hub), undefined);
      equal(await secrets.createSecret(creation), 'created');
      deepEqual(await secrets.findSecret(hub), hub);
      equal(await secrets.findSecretValue({ ...hub, version: 'v1' }), 'v1.sealed');
      equal(await secrets.findSecretValue({ ...hub, version: 'v2' }), undefined);
      equal(await secrets.createSecret(creation), 'exists');
      const add = (name: string) =>
        secrets.createSecret({ ...creation, secret: empty(name), sealed: undefined });
      deepEqual([await add('b'), await add('c'), await add('d')], ['created', 'created', 'limit']);
      equal(await secrets.findSecret(empty('d')), undefined);
      equal(await secrets.findSecret({ ...hub, registry: '111111111111/us-east-1' }), undefined);
    },
  },
  {
    name: 'a secret that is changed keeps the values of its versions and drops those that it has no more',
    async run({ secrets }) {
      await secrets.createSecret(creation);
      const put = (version: string, now: number) =>
        secrets.changeSecret({
          ...hub,
          change: { kind: 'put', version, stages: ['AWSCURRENT'] },
          sealed: `sealed ${version}`,
          now,
        });
      deepEqual((await put('v2', 6))?.secret?.versions, [
        { id: 'v1', stages: ['AWSPREVIOUS'], createdAt: 5 },
        { id: 'v2', stages: ['AWSCURRENT'], createdAt: 6 },
      ]);
      equal((await put('v2', 7))?.problem?.kind, 'secretVersionExists');
      for (let at = 3; at <= 101; at += 1) await put(`v${at}`, at);
      equal((await secrets.findSecret(hub))?.versions.length, 100);
      equal(await secrets.findSecretValue({ ...hub, version: 'v1' }), undefined);
      equal(await secrets.findSecretValue({ ...hub, version: 'v2' }), 'sealed v2');
      equal(
        await secrets.changeSecret({
          ...hub,
          suffix: 'other1',
          change: { kind: 'restore' },
          now: 8,
        }),
        undefined,
      );
    },
  },
  {
    name: 'a deleted secret is there until its time is over, and then makes room for another of its name',
    async run({ secrets }) {
      await secrets.createSecret(creation);
      await secrets.changeSecret({ ...hub, change: { kind: 'delete', at: 10 }, now: 6 });
      equal(await secrets.createSecret({ ...creation, now: 9 }), 'exists');
      const change = { kind: 'restore' } as const;
      equal(await secrets.changeSecret({ ...hub, change, now: 10 }), undefined);
      const later = { ...hub, suffix: 'later1', createdAt: 10 };
      equal(await secrets.createSecret({ ...creation, secret: later, now: 10 }), 'created');
      equal((await secrets.findSecret(hub))?.suffix, 'later1');
      equal(await secrets.removeSecret(hub), false);
      equal(await secrets.removeSecret(later), true);
      equal(await secrets.findSecretValue({ ...hub, version: 'v1' }), undefined);
    },
  },
  {
    name: 'a secret whose time is over counts for nothing, though it is not purged yet',
    async run({ secrets }) {
      const creationOf = (secret: Secret, now: number) => ({ ...creation, secret, now });
      equal(await secrets.createSecret({ ...creationOf(hub, 5), secretsMax: 1 }), 'created');
      await secrets.changeSecret({ ...hub, change: { kind: 'delete', at: 10 }, now: 6 });
      const add = (now: number) =>
        secrets.createSecret({ ...creationOf(empty('b'), now), sealed: undefined, secretsMax: 1 });
      deepEqual([await add(9), await add(10)], ['limit', 'created']);
    },
  },
  {
    name: 'secrets whose time is over are purged with their values, and no others',
    async run({ secrets }) {
      await secrets.createSecret(creation);
      await secrets.createSecret({ ...creation, secret: empty('b'), sealed: undefined });
      await secrets.changeSecret({ ...hub, change: { kind: 'delete', at: 10 }, now: 6 });
      await secrets.purgeSecrets({ now: 9 });
      equal((await secrets.findSecret(hub))?.name, hub.name);
      await secrets.purgeSecrets({ now: 10 });
      equal(await secrets.findSecret(hub), undefined);
      equal(await secrets.findSecretValue({ ...hub, version: 'v1' }), undefined);
      equal((await secrets.findSecret(empty('b')))?.name, 'b');
    },
  },
  {
    name: 'secrets are listed in order, page by page, with others among them',
    async run({ secrets }) {
      await secrets.createSecret(creation);
      for (const one of [empty('b', 3), empty('c', 3)])
        await secrets.createSecret({ ...creation, secret: one, sealed: undefined });
      const elsewhere = { ...hub, registry: '111111111111/us-east-1' } as const;
      await secrets.createSecret({ ...creation, secret: elsewhere });
      const names = async (change: Partial<typeof all>): Promise<string> =>
        (await secrets.listSecrets(home, { ...all, ...change }))
          .map(({ name }) => name.slice(-1))
          .join('');
      equal(await names({}), 'bcb');
      equal(await names({ descending: true }), 'bcb');
      equal(await names({ by: 'name' }), 'bcb');
      equal(await names({ after: { at: 3, name: 'b' } }), 'cb');
      equal(await names({ after: { at: 3, name: 'c' }, descending: true }), 'b');
      equal(await names({ limit: 1 }), 'b');
      equal(await names({ others: [empty('x', 4)] }), 'bcxb');
      equal(await names({ filters: [{ key: 'name', values: ['ecr-', 'c'] }] }), 'cb');
      await secrets.changeSecret({ ...empty('b'), change: { kind: 'delete', at: 30 }, now: 6 });
      equal(await names({}), 'cb');
      equal(await names({ withDeleted: true }), 'bcb');
      equal(await names({ withDeleted: true, now: 30 }), 'cb');
    },
  },
];
