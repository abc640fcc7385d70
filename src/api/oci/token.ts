import type { Caller, Scope } from '../../access/access.ts';
import type { ScopeRight } from '../../domain/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RuleSet } from '../../domain/rule-set.ts';
import { canonicalName } from '../../domain/rule-set.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { serviceOf } from './challenge.ts';
import { apiVersionHeader, localStatus } from './errors.ts';
import type { Gate } from './gate.ts';

/** Makes tokens that speak for a caller, limited to the scopes. */
export interface TokenIssuer {
  issueToken(
    caller: Caller,
    scopes: readonly Scope[],
    service: string,
  ): Promise<{
    readonly token: string;
    readonly issuedAt: number;
    readonly expiresInSeconds: number;
  }>;
}

export interface TokenParts {
  readonly gate: Gate;
  readonly tokens: TokenIssuer;
  readonly rules: () => RuleSet;
  readonly settings: () => { readonly anonymousPull: boolean; readonly publicUrl: string };
}

/** Bytes of the form that OAuth2 clients post. */
const formBytesMax = 64 * 1024;
const scopesMax = 100;
const rights: readonly ScopeRight[] = ['pull', 'push', 'delete'];

/**
 * `/v2/token`: by GET as the token specification of distribution has it, by POST as its OAuth2 one has it (`password` alone: no
 * refresh tokens are made). Without credentials: an anonymous token, where anonymous may pull at all.
 */
export async function tokenReply(parts: TokenParts, request: Incoming): Promise<Reply> {
  const settings = parts.settings();
  const asked =
    request.method === 'POST' ? await readForm(request) : new URLSearchParams(request.query);
  const caller = await identify(parts.gate, asked, request);
  if (caller.principal.kind === 'anonymous' && !settings.anonymousPull)
    throw new RegistryError('unauthorized', 'anonymous may not pull here');
  const service = serviceOf(request, settings.publicUrl);
  const { token, issuedAt, expiresInSeconds } = await parts.tokens.issueToken(
    caller,
    scopesOf(asked.getAll('scope'), parts.rules()),
    service,
  );
  const body = {
    token,
    access_token: token,
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
    issued_at: new Date(issuedAt).toISOString(),
  };
  return {
    status: 200,
    headers: {
      ...apiVersionHeader,
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      'Cache-Status': localStatus('token'),
      'X-Content-Type-Options': 'nosniff',
    },
    body: `${JSON.stringify(body)}\n`,
    note: { route: 'token' },
  };
}

async function readForm(request: Incoming): Promise<URLSearchParams> {
  const bytes = await request.readBody(formBytesMax);
  return new URLSearchParams(new TextDecoder().decode(bytes));
}

/** By the Authorization header, else by the form's user name and password. */
async function identify(gate: Gate, asked: URLSearchParams, request: Incoming): Promise<Caller> {
  const from = { mirror: false, ecr: false };
  if (request.method !== 'POST' || request.headers.authorization !== undefined)
    return gate.identify(request, from);
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
  const authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  return gate.identifyAs(authorization, request);
}

/** `repository:<name>:<rights>`, several in one parameter apart by spaces; names in their canonical spelling. Other kinds are passed over. */
function scopesOf(parameters: readonly string[], rules: RuleSet): readonly Scope[] {
  const texts = parameters.flatMap((text) => text.split(' ')).filter((text) => text !== '');
  if (texts.length > scopesMax)
    throw new RegistryError('requestInvalid', `${texts.length} scopes; ${scopesMax} at most`);
  return texts.flatMap((text): Scope[] => {
    const match = /^repository(?:\([a-z0-9]+\))?:([^\s*?]{1,300}):([a-z,*]{0,100})$/.exec(text);
    const [, name = '', list = ''] = match ?? [];
    const repository = rules.byPath(name)?.repository ?? canonicalName(name);
    if (match === null || repository === undefined) return [];
    const wanted = list.split(',');
    return [
      {
        repository,
        rights: rights.filter((each) => wanted.includes(each) || wanted.includes('*')),
      },
    ];
  });
}
