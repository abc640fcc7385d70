import { deepEqual, equal } from 'node:assert/strict';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import type { MetadataRow } from './row.ts';
import { home } from './samples.ts';

const by = (key: string, text: string): string => `v1.${key}.${text}`;
const [old, now] = ['oldkeyaa', 'newkeyaa'];

/** Three access keys and two values of secrets, of which one each is sealed by the new key. */
async function sealSome({ identities, secrets }: Metadata): Promise<void> {
  const user = { account: '000000000000', name: 'ann' };
  await identities.createPrincipal({ ...user, kind: 'user', createdAt: 1 });
  for (const [id, key] of [
    ['AKIA1', old],
    ['AKIA2', now],
    ['AKIA3', old],
  ] as const)
    await identities.createAccessKey({
      id,
      account: user.account,
      name: id === 'AKIA3' ? undefined : user.name,
      sealedSecret: by(key, id),
      active: true,
      createdAt: 1,
      expiresAt: undefined,
      lastUsedAt: undefined,
    });
  for (const [name, key] of [
    ['a', old],
    ['b', now],
    ['c', old],
  ] as const)
    await secrets.createSecret({
      secret: {
        registry: home,
        name,
        suffix: `${name}AbCdE`,
        tags: [],
        token: 't',
        createdAt: 5,
        changedAt: 5,
        versions: [{ id: 'v1', stages: ['AWSCURRENT'], createdAt: 5 }],
      },
      sealed: by(key, name),
      secretsMax: 9,
      now: 5,
    });
}

/** What is sealed by the server's keys. */
export const sealedRows: readonly MetadataRow[] = [
  {
    name: 'what is sealed is counted by its kind and key',
    async run(metadata) {
      deepEqual(await metadata.sealed.countSealed(), []);
      await sealSome(metadata);
      const counts = await metadata.sealed.countSealed();
      deepEqual(counts.map(({ kind, key, count }) => `${kind} ${key} ${count}`).toSorted(), [
        `accessKeys ${now} 1`,
        `accessKeys ${old} 2`,
        `secretValues ${now} 1`,
        `secretValues ${old} 2`,
      ]);
    },
  },
  {
    name: 'what another key sealed is listed in order, page by page',
    async run(metadata) {
      await sealSome(metadata);
      const { sealed } = metadata;
      const first = await sealed.listSealed('accessKeys', {
        notBy: now,
        after: undefined,
        limit: 1,
      });
      deepEqual(first, [{ id: ['AKIA1'], suffix: undefined, sealed: by(old, 'AKIA1') }]);
      const rest = { notBy: now, after: first[0]?.id, limit: 9 };
      deepEqual(
        (await sealed.listSealed('accessKeys', rest)).map(({ id }) => id),
        [['AKIA3']],
      );
      const page = { notBy: now, after: undefined, limit: 1 };
      const value = await sealed.listSealed('secretValues', page);
      deepEqual(value, [{ id: [home, 'a', 'v1'], suffix: 'aAbCdE', sealed: by(old, 'a') }]);
      const next = await sealed.listSealed('secretValues', { ...page, after: value[0]?.id });
      deepEqual(next[0]?.id, [home, 'c', 'v1']);
      deepEqual(await sealed.listSealed('secretValues', { ...page, after: next[0]?.id }), []);
    },
  },
  {
    name: 'what is sealed anew is that which is still as it was read',
    async run(metadata) {
      await sealSome(metadata);
      const { sealed, secrets } = metadata;
      const rows = [
        { id: [home, 'a', 'v1'], before: by(old, 'a'), after: by(now, 'anew') },
        { id: [home, 'c', 'v1'], before: by(old, 'changed'), after: by(now, 'anew') },
        { id: [home, 'none', 'v1'], before: by(old, 'a'), after: by(now, 'anew') },
      ];
      equal(await sealed.reseal({ kind: 'secretValues', rows }), 1);
      const valueOf = (name: string) =>
        secrets.findSecretValue({ registry: home, name, version: 'v1' });
      equal(await valueOf('a'), by(now, 'anew'));
      equal(await valueOf('c'), by(old, 'c'));
      const keys = [{ id: ['AKIA3'], before: by(old, 'AKIA3'), after: by(now, 'anew') }];
      equal(await sealed.reseal({ kind: 'accessKeys', rows: keys }), 1);
      const key = await metadata.identities.findAccessKey('AKIA3');
      equal(key?.sealedSecret, by(now, 'anew'));
    },
  },
];
