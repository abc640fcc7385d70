import * as z from 'zod';
import type { Caller } from '../../access/access.ts';
import type { Identities } from '../../access/accounts/identities.ts';
import { formatScope } from '../../access/secrets/scopes.ts';
import type { AccountView } from '../../contract/access-view.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { describePrincipal, isAccountId } from '../../domain/policy/principal.ts';
import { registryOf } from '../../domain/names/registry.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Incoming } from '../../http/reply.ts';
import type { AccountRow } from '../../metadata/contract/rows.ts';
import type { Admission } from './admission.ts';
import { isOperator } from './admission.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields, nothing } from './input.ts';
import * as outputs from './outputs.ts';
import { isoTime, pageOfAll } from './page.ts';
import { viewNewAccessKey } from './access-keys.ts';

export interface AccountParts {
  readonly admission: Admission;
  readonly identities: Pick<Identities, 'listAccounts' | 'createAccount'>;
  /** A password for `AWS:<password>`, and until when (ms); within the caller's own limits. */
  readonly ecrPassword: (
    caller: Caller,
  ) => Promise<{ readonly password: string; readonly expiresAt: number }>;
  /** Without a trailing slash; empty: the request's Host. */
  readonly publicUrl: () => string;
}

/** Who asks, and the accounts that the server knows. */
export function accountEndpoints(parts: AccountParts): readonly Endpoint[] {
  const { admission, identities } = parts;
  return [
    endpoint({
      method: 'GET',
      path: 'whoami',
      summary: 'Who the credential speaks for',
      input: nothing,
      output: outputs.whoami,
      answer: async ({ caller, principal }) => ({
        principal: describePrincipal(principal),
        account: principal.account,
        kind: principal.kind,
        name: principal.kind === 'administrator' ? null : principal.name,
        via: caller.via,
        scopes: caller.scopes?.map(formatScope) ?? null,
        operator: isOperator(caller, admission.home),
      }),
    }),
    endpoint({
      method: 'POST',
      path: 'authorization-token',
      summary: 'A password of twelve hours for registry clients, as ECR gives it',
      input: z.strictObject({ account: fields.account, region: fields.region }),
      output: outputs.authorizationToken,
      answer: async ({ input, request, ...asker }) => {
        const own = admission.registry({ region: input.region }, asker);
        await admission.requireInRegistry(asker, actions.getAuthorizationToken, own);
        const { password, expiresAt } = await parts.ecrPassword(asker.caller);
        return {
          authorizationToken: Buffer.from(`AWS:${password}`).toString('base64'),
          expiresAt: isoTime(expiresAt),
          proxyEndpoint: endpointOf(admission.registry(input, asker), request, parts),
        };
      },
    }),
    endpoint({
      method: 'GET',
      path: 'accounts',
      summary: 'The accounts of the server',
      operator: true,
      input: z.strictObject({ limit: fields.limit, cursor: fields.cursor }),
      output: outputs.listOf(outputs.account),
      answer: async ({ input }) =>
        pageOfAll(await identities.listAccounts(), input, {
          view: viewAccount,
          keyOf: ({ id }) => id,
        }),
    }),
    endpoint({
      method: 'POST',
      path: 'accounts',
      summary: 'Makes an account, with the first key of its root',
      operator: true,
      created: true,
      input: z.strictObject({
        account: z.string().refine(isAccountId, 'must be twelve digits'),
        name: fields.name,
      }),
      output: outputs.newAccount,
      answer: async ({ input, ...asker }) => {
        const { account, key } = await identities.createAccount(
          { id: input.account, name: input.name },
          asker,
        );
        return { ...viewAccount(account), key: viewNewAccessKey(key) };
      },
    }),
  ];
}

/** The home registry by the address it is asked at, the others by a host name of ECR's form. */
function endpointOf(registry: RegistryKey, request: Incoming, parts: AccountParts): string {
  const here = `${request.secure ? 'https' : 'http'}://${request.host ?? 'localhost'}`;
  const base = parts.publicUrl() || here;
  if (registry === parts.admission.home) return base;
  const url = URL.parse(base);
  const { account, region } = registryOf(registry);
  return url === null ? base : `${url.protocol}//${account}.dkr.ecr.${region}.${url.host}`;
}

function viewAccount({ id, name, createdAt }: AccountRow): AccountView {
  return { account: id, name, createdAt: isoTime(createdAt) };
}
