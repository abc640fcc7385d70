import { deepEqual, equal } from 'node:assert/strict';
import { roleKey } from '../../../src/domain/policy/principal.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import type { RoleRow } from '../../../src/metadata/contract/roles.ts';
import type { MetadataRow } from './row.ts';

const account = '111122223333';

function role(name: string): RoleRow {
  return {
    account,
    name,
    path: '/',
    trustPolicy: '{"Statement": []} ü',
    description: '',
    sessionSecondsMax: 3600,
    createdAt: 5,
    lastUsedAt: undefined,
  };
}

async function withAccount(metadata: Metadata): Promise<Metadata> {
  await metadata.identities.createAccount({ id: account, name: 'one', createdAt: 1 });
  return metadata;
}

/** Roles, beside the users of their account. */
export const rolesRows: readonly MetadataRow[] = [
  {
    name: 'a role is made once in an account that is there, and is listed by its name',
    async run(metadata) {
      const full = {
        ...role('deploy'),
        path: '/ci/',
        description: 'd',
        tags: [{ key: 'a', value: 'b' }],
      };
      equal(await metadata.roles.createRole(full), 'noAccount');
      await withAccount(metadata);
      equal(await metadata.roles.createRole(full), 'created');
      equal(await metadata.roles.createRole({ ...full, path: '/' }), 'exists');
      equal(await metadata.roles.createRole(role('Build')), 'created');
      deepEqual(await metadata.roles.findRole({ account, name: 'deploy' }), full);
      deepEqual(await metadata.roles.listRoles(account), [role('Build'), full]);
      deepEqual(await metadata.roles.listRoles('000000000000'), []);
    },
  },
  {
    name: 'a role and a user of one name are two, and neither is taken for the other',
    async run(metadata) {
      const { identities, roles } = await withAccount(metadata);
      const user = { account, name: 'ci', kind: 'user', createdAt: 7 } as const;
      await identities.createPrincipal(user);
      equal(await roles.createRole(role('ci')), 'created');
      deepEqual(await identities.listPrincipals(account), [user]);
      deepEqual(await identities.findPrincipal(account, 'ci'), user);
      const { name } = roleKey(role('ci'));
      equal(await identities.findPrincipal(account, name), undefined);
      equal(await identities.deletePrincipal({ account, name: 'ci' }), true);
      deepEqual(await roles.findRole(role('ci')), role('ci'));
    },
  },
  {
    name: 'a role has policies and tags as a user has, which go with it, and no keys or tokens',
    async run(metadata) {
      const { identities, roles } = await withAccount(metadata);
      await roles.createRole(role('ci'));
      const { name } = roleKey(role('ci'));
      const policy = { account, principal: name, name: 'p', text: '{}', updatedAt: 1 };
      equal(await identities.putIdentityPolicy(policy), 'stored');
      deepEqual(await identities.listIdentityPolicies(account, name), [policy]);
      equal(await identities.deleteUnusedPrincipal({ account, name }), 'hasPolicies');
      const set = [{ key: 'a', value: 'b' }];
      const tags = { account, name, set, remove: [], tagsMax: 50 };
      equal(await identities.changePrincipalTags(tags), 'changed');
      deepEqual((await roles.findRole(role('ci')))?.tags, set);
      const key = {
        id: 'AKIA1',
        account,
        name,
        sealedSecret: 's',
        active: true,
        createdAt: 1,
        expiresAt: undefined,
        lastUsedAt: undefined,
      };
      equal(await identities.createAccessKey(key), 'noPrincipal');
      const token = {
        id: 't',
        account,
        principal: name,
        name: 't',
        hash: 'h',
        scopes: [],
        createdAt: 1,
        expiresAt: undefined,
        lastUsedAt: undefined,
      };
      equal(await identities.createToken(token), 'noPrincipal');
      equal(await identities.deletePrincipal({ account, name }), true);
      deepEqual(await identities.listIdentityPolicies(account, name), []);
      equal(await roles.findRole(role('ci')), undefined);
    },
  },
  {
    name: 'of a role that changes, what is not said stays',
    async run(metadata) {
      const { roles } = await withAccount(metadata);
      await roles.createRole(role('ci'));
      const key = { account, name: 'ci' };
      equal(await roles.changeRole({ ...key, description: 'new' }), true);
      equal(await roles.changeRole({ ...key, trustPolicy: 'x', sessionSecondsMax: 7200 }), true);
      equal(await roles.changeRole(key), true);
      const changed = { description: 'new', trustPolicy: 'x', sessionSecondsMax: 7200 };
      deepEqual(await roles.findRole(key), { ...role('ci'), ...changed });
      equal(await roles.changeRole({ account, name: 'none', description: 'x' }), false);
    },
  },
  {
    name: 'when a role was last used only grows, and a role that is gone stays so',
    async run(metadata) {
      const { roles } = await withAccount(metadata);
      await roles.createRole(role('ci'));
      const used = (at: number) => roles.touchRoles([{ id: `${account}/ci`, at }]);
      await used(50);
      await used(40);
      await roles.touchRoles([{ id: `${account}/none`, at: 60 }]);
      equal((await roles.findRole(role('ci')))?.lastUsedAt, 50);
      deepEqual((await roles.listRoles(account)).length, 1);
    },
  },
];
