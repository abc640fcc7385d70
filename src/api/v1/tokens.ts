import * as z from 'zod';
import type { Identities, Token } from '../../access/accounts/identities.ts';
import { formatScope } from '../../access/secrets/scopes.ts';
import type { TokenView } from '../../contract/access-view.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import type { Admission } from './admission.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields } from './input.ts';
import * as outputs from './outputs.ts';
import { isoTime, isoTimeOrNull, listing } from './page.ts';
import { unknownOwner } from './users.ts';

export interface TokenParts {
  readonly admission: Admission;
  readonly identities: Pick<Identities, 'listTokens' | 'createToken' | 'deleteToken'>;
}

const owned = { user: fields.user, account: fields.account };

/** Named tokens of users and robots; without a user the asker's own, or those of another account's root. */
export function tokenEndpoints({ admission, identities }: TokenParts): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'tokens',
      summary: 'The tokens of a user, without their secrets',
      input: z.strictObject(owned),
      output: outputs.listOf(outputs.token),
      answer: async ({ input, ...asker }) => {
        const owner = admission.owner(input, asker);
        await admission.requireIdentity(asker, identityActions.listTokens, owner);
        return listing((await identities.listTokens(owner)).map(viewToken));
      },
    }),
    endpoint({
      method: 'POST',
      path: 'tokens',
      summary: 'Makes a token, which is shown this once',
      created: true,
      input: z.strictObject({
        ...owned,
        name: fields.name,
        scopes: z.array(z.string().max(512)).max(100).default([]),
        expiresInSeconds: fields.lifetime,
      }),
      output: outputs.newToken,
      answer: async ({ input, ...asker }) => {
        const owner = admission.owner(input, asker);
        await admission.requireIdentity(asker, identityActions.createToken, owner);
        const { name, scopes, expiresInSeconds } = input;
        const made = await identities.createToken(
          {
            ...owner,
            tokenName: name,
            scopes,
            lifetimeMs: expiresInSeconds === undefined ? undefined : expiresInSeconds * 1000,
          },
          asker,
        );
        if (made === undefined) throw unknownOwner(owner);
        return { ...viewToken(made.token), token: made.secret };
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'tokens',
      summary: 'Revokes a token, which is refused from then on',
      input: z.strictObject({ ...owned, name: fields.name }),
      output: undefined,
      answer: async ({ input, ...asker }) => {
        const owner = admission.owner(input, asker);
        await admission.requireIdentity(asker, identityActions.deleteToken, owner);
        if (!(await identities.deleteToken({ ...owner, tokenName: input.name }, asker)))
          throw unknownOwner(owner, `token ${input.name}`);
      },
    }),
  ];
}

function viewToken(token: Token): TokenView {
  return {
    name: token.name,
    account: token.account,
    user: token.principal ?? null,
    scopes: token.scopes.map(formatScope),
    createdAt: isoTime(token.createdAt),
    expiresAt: isoTimeOrNull(token.expiresAt),
    lastUsedAt: isoTimeOrNull(token.lastUsedAt),
  };
}
