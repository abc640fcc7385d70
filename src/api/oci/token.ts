import type { Caller, Identifier, RequestFrom } from '../../access/access.ts';
import { anonymousCaller } from '../../access/access.ts';
import { parseRequestedScopes } from '../../access/secrets/scopes.ts';
import type { RequestedScope } from '../../access/secrets/scopes.ts';
import type { TokenService } from '../../access/identify/registry-tokens.ts';
import { RegistryError } from '../../domain/errors.ts';
import { homeRegistryOf } from '../../domain/names/registry.ts';
import type { RegistrySettings } from '../../domain/names/registry.ts';
import type { RulesInForce, RuleSet } from '../../domain/rules/rule-set.ts';
import { canonicalName } from '../../domain/rules/rule-set.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { serviceOf } from './challenge.ts';
import { apiVersionHeader, localStatus } from './errors.ts';

export interface TokenParts {
  readonly identifier: Identifier;
  readonly tokens: TokenService;
  readonly rules: RulesInForce;
  readonly settings: () => RegistrySettings & {
    readonly anonymousPull: boolean;
    readonly publicUrl: string;
  };
}

/** Bytes of the form that OAuth2 clients post. */
const formBytesMax = 64 * 1024;
/**
 * `/v2/token`: by GET as the token specification of distribution has it, by POST as its OAuth2 one has it (`password` alone: no
 * refresh tokens are made). Without credentials: an anonymous token, where anonymous may pull at all.
 */
export async function tokenReply(
  parts: TokenParts,
  request: Incoming,
  from: RequestFrom,
): Promise<Reply> {
  const settings = parts.settings();
  const asked =
    request.method === 'POST' ? await readForm(request) : new URLSearchParams(request.query);
  const caller = await identify(parts.identifier, asked, request, from);
  if (caller.principal.kind === 'anonymous' && !settings.anonymousPull)
    throw new RegistryError('unauthorized', 'anonymous may not pull here');
  // Hosts of the other registries take no tokens.
  const rules = parts.rules.of(homeRegistryOf(settings));
  const scopes = parseRequestedScopes(asked.getAll('scope'));
  const issued = await parts.tokens.issueToken({
    caller,
    scopes: scopes.map((scope) => inCanonicalSpelling(scope, rules)),
    service: serviceOf(request, settings.publicUrl),
  });
  return {
    status: 200,
    headers: {
      ...apiVersionHeader,
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      'Cache-Status': localStatus('token'),
      'X-Content-Type-Options': 'nosniff',
    },
    body: `${JSON.stringify(issued)}\n`,
    note: { route: 'token' },
  };
}

async function readForm(request: Incoming): Promise<URLSearchParams> {
  const bytes = await request.readBody(formBytesMax);
  return new URLSearchParams(new TextDecoder().decode(bytes));
}

/** By the Authorization header, else by the form's user name and password. */
async function identify(
  identifier: Identifier,
  asked: URLSearchParams,
  request: Incoming,
  from: RequestFrom,
): Promise<Caller> {
  const { authorization } = request.headers;
  const asItself = { mirror: false };
  if (authorization !== undefined) return identifier.identify(authorization, from, asItself);
  if (request.method !== 'POST') return anonymousCaller;
  const grant = asked.get('grant_type');
  if (grant !== 'password')
    throw new RegistryError(
      'unauthorized',
      'grant_type: password is known, no refresh tokens are made',
      {
        detail: { field: 'grant_type', value: (grant ?? '').slice(0, 64) },
      },
    );
  const pair = `${asked.get('username') ?? ''}:${asked.get('password') ?? ''}`;
  return identifier.identify(`Basic ${Buffer.from(pair).toString('base64')}`, from, asItself);
}

/** A name as rights are asked for it: `docker.io/nginx` is `docker.io/library/nginx`. */
function inCanonicalSpelling(scope: RequestedScope, rules: RuleSet): RequestedScope {
  if (scope.kind !== 'repository') return scope;
  const name = rules.byPath(scope.name)?.repository ?? canonicalName(scope.name);
  return name === undefined ? scope : { ...scope, name };
}
