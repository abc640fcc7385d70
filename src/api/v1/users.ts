import * as z from 'zod';
import type { Identities } from '../../access/accounts/identities.ts';
import type { UserView } from '../../contract/access-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import type { PrincipalRow } from '../../metadata/contract/rows.ts';
import type { Admission, Owner } from './admission.ts';
import { arnOfOwner } from './admission.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields } from './input.ts';
import * as outputs from './outputs.ts';
import { isoTime, pageOfAll } from './page.ts';

export interface UserParts {
  readonly admission: Admission;
  readonly identities: Pick<Identities, 'listPrincipals' | 'createPrincipal' | 'deletePrincipal'>;
}

/** Users and robots of an account; another account's are the operator's alone. */
export function userEndpoints({ admission, identities }: UserParts): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'users',
      summary: 'The users and robots of an account',
      input: z.strictObject({
        account: fields.account,
        limit: fields.limit,
        cursor: fields.cursor,
      }),
      output: outputs.listOf(outputs.user),
      answer: async ({ input, ...asker }) => {
        const account = input.account ?? asker.principal.account;
        const owner = { account, name: '*' };
        await admission.requireIdentity(asker, identityActions.listUsers, owner);
        return pageOfAll(await identities.listPrincipals(account), input, {
          view: viewUser,
          keyOf: ({ name }) => name,
        });
      },
    }),
    endpoint({
      method: 'POST',
      path: 'users',
      summary: 'Makes a user or a robot, who may nothing yet',
      created: true,
      input: z.strictObject({
        name: fields.name,
        kind: z.enum(['user', 'robot']).default('user'),
        account: fields.account,
      }),
      output: outputs.user,
      answer: async ({ input: { name, kind, account: asked }, ...asker }) => {
        const account = asked ?? asker.principal.account;
        await admission.requireIdentity(asker, identityActions.createUser, { account, name });
        const made = await identities.createPrincipal({ account, name, kind }, asker);
        if (made === undefined)
          throw new RegistryError('nameUnknown', `there is no account ${account}`);
        return viewUser(made);
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'users',
      summary: 'Deletes a user or robot with its keys, tokens and policies',
      input: z.strictObject({ name: fields.name, account: fields.account }),
      output: undefined,
      answer: async ({ input, ...asker }) => {
        const owner = { account: input.account ?? asker.principal.account, name: input.name };
        await admission.requireIdentity(asker, identityActions.deleteUser, owner);
        if (!(await identities.deletePrincipal(owner, asker))) throw unknownOwner(owner);
      },
    }),
  ];
}

/** That a principal, or something of it, is not there. */
export function unknownOwner(owner: Owner, thing?: string): RegistryError {
  const arn = arnOfOwner(owner);
  return new RegistryError(
    'nameUnknown',
    thing === undefined ? `there is no ${arn}` : `${arn} has no ${thing}`,
  );
}

function viewUser({ account, name, kind, createdAt }: PrincipalRow): UserView {
  return {
    account,
    name,
    arn: describePrincipal({ kind, account, name }),
    kind,
    createdAt: isoTime(createdAt),
  };
}
