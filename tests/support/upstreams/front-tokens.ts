// The token service of a front, and the check of what a request brings.
import type { IncomingMessage } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { BasicCredential, Behaviour, TokenAuth } from './front-behaviour.ts';

/** An answer made by the front itself. */
export interface OwnAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Tokens {
  /** Answers a request to the token service. */
  issue(request: IncomingMessage, auth: Behaviour['auth']): OwnAnswer;
  /** The refusal, or nothing where the request may go on. */
  check(
    request: IncomingMessage,
    auth: Behaviour['auth'],
    repository: string | undefined,
    origin: string,
  ): OwnAnswer | undefined;
  /** Makes every token given so far worthless. */
  revoke(): void;
}

interface Granted {
  readonly scopes: ReadonlySet<string>;
  readonly expiresAt: number;
  readonly account: string;
}

export function createTokens(): Tokens {
  const granted = new Map<string, Granted>();
  return {
    issue(request, auth) {
      if (auth?.kind !== 'bearer') return { status: 404 };
      const basic = readBasic(request.headers.authorization);
      if (basic !== undefined && !same(basic, auth.credential)) {
        return refusal(401, 'UNAUTHORIZED', 'incorrect username or password');
      }
      const query = new URL(request.url ?? '/', 'http://front').searchParams;
      const scopes = query.getAll('scope').flatMap((scope) => scope.split(' '));
      const expiresIn = auth.expiresInSeconds ?? 300;
      const token = randomUUID();
      granted.set(token, {
        scopes: new Set(scopes),
        expiresAt: performance.now() + expiresIn * 1000,
        account: basic?.username ?? '',
      });
      const issued = new Date().toISOString();
      const body = { token, access_token: token, expires_in: expiresIn, issued_at: issued };
      return {
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      };
    },
    check(request, auth, repository, origin) {
      if (auth === undefined) return undefined;
      if (auth.kind === 'basic') {
        if (same(readBasic(request.headers.authorization), auth)) return undefined;
        return refusal(401, 'UNAUTHORIZED', 'authentication required', 'Basic realm="front"');
      }
      const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
      const grant = granted.get(bearer);
      const scope = repository === undefined ? undefined : `repository:${repository}:pull`;
      const good =
        grant !== undefined &&
        grant.expiresAt > performance.now() &&
        (scope === undefined || hasScope(grant.scopes, scope)) &&
        (auth.anonymous !== false || grant.account !== '');
      return good ? undefined : challenge(auth, scope, origin);
    },
    revoke: () => granted.clear(),
  };
}

function hasScope(scopes: ReadonlySet<string>, wanted: string): boolean {
  return [...scopes].some((scope) => scope === wanted || scope.startsWith(`${wanted},`));
}

function challenge(auth: TokenAuth, scope: string | undefined, origin: string): OwnAnswer {
  const realm = auth.realm ?? `${origin}/token`;
  const asked = scope === undefined ? '' : `,scope="${scope}"`;
  const header = `Bearer realm="${realm}",service="${auth.service}"${asked}`;
  return refusal(401, 'UNAUTHORIZED', 'authentication required', header);
}

function refusal(status: number, code: string, message: string, challenge?: string): OwnAnswer {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (challenge !== undefined) headers['www-authenticate'] = challenge;
  return { status, headers, body: JSON.stringify({ errors: [{ code, message }] }) };
}

function readBasic(header: string | undefined): BasicCredential | undefined {
  const encoded = /^Basic (.+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [username = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  return { username, password: rest.join(':') };
}

function same(given: BasicCredential | undefined, wanted: BasicCredential | undefined): boolean {
  if (given === undefined || wanted === undefined) return false;
  return given.username === wanted.username && given.password === wanted.password;
}
