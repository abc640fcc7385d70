import { resolve } from 'node:path';
import { isObject } from '../../domain/json.ts';
import { ClusterFailure } from './cluster-failure.ts';
import { runPlugin } from './exec-plugin.ts';
import type { ExecCredential, PluginSurroundings } from './exec-plugin.ts';
import { pemOf, readText } from './target.ts';
import type { ClusterTarget } from './target.ts';
import { listOf, mapOf, textOf } from './yaml-fields.ts';
import type { Fields } from './yaml-fields.ts';

type Headers = Readonly<Record<string, string | readonly string[]>>;

/** What goes with one request. */
export interface Presented {
  readonly headers: Headers;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** Who asks: by a token, a file with one, a certificate, a password or a plugin. */
export interface Credentials {
  /** Runs the plugin where there is one and what it gave has expired. */
  present(signal: AbortSignal): Promise<Presented>;
  /** The server refused what was presented; answers whether another one may be had. */
  refused(): boolean;
}

/** Before its time runs out: clocks differ, and a page takes a while. */
const renewBeforeMs = 10_000;

export async function credentialsOf(
  target: ClusterTarget,
  surroundings: PluginSurroundings,
): Promise<Credentials> {
  const { fields, folder } = target.user;
  const impersonation = impersonationOf(fields);
  const cert = await pemOf(target.user, 'client-certificate');
  const key = await pemOf(target.user, 'client-key');
  const still = { cert, key };
  const exec = mapOf(fields, 'exec');
  if (exec !== undefined) return ofPlugin(exec, target, surroundings, impersonation, still);
  const tokenFile = textOf(fields, 'tokenFile');
  const token = textOf(fields, 'token') ?? providedToken(fields);
  const fixed = { ...impersonation, ...(token === undefined ? basicOf(fields) : bearer(token)) };
  return {
    async present() {
      if (tokenFile === undefined) return { headers: fixed, ...still };
      // Read each time: a service account's token is replaced every hour.
      const text = await readText(resolve(folder, tokenFile), `${fields.where}.tokenFile`);
      return { headers: { ...impersonation, ...bearer(text.trim()) }, ...still };
    },
    refused: () => false,
  };
}

function ofPlugin(
  exec: Fields,
  target: ClusterTarget,
  surroundings: PluginSurroundings,
  impersonation: Headers,
  still: Omit<Presented, 'headers'>,
): Credentials {
  let held: Promise<ExecCredential> | undefined;
  let expiresAt = Infinity;
  let renewed = 0;
  return {
    async present(signal) {
      if (Date.now() > expiresAt - renewBeforeMs) held = undefined;
      // Those that ask meanwhile wait for the same run.
      held ??= runPlugin(exec, target, surroundings, signal);
      const { token, cert, key, expiresAt: until } = await held;
      expiresAt = until ?? Infinity;
      return {
        headers: { ...impersonation, ...(token !== undefined && bearer(token)) },
        cert: cert ?? still.cert,
        key: key ?? still.key,
      };
    },
    refused() {
      renewed += 1;
      held = undefined;
      return renewed === 1;
    },
  };
}

function bearer(token: string): Headers {
  return { authorization: `Bearer ${token}` };
}

function basicOf(fields: Fields): Headers {
  const username = textOf(fields, 'username');
  if (username === undefined) return {};
  const pair = `${username}:${textOf(fields, 'password') ?? ''}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** `as` and its like, as kubectl sends them: groups in a header each. */
function impersonationOf(fields: Fields): Headers {
  const user = textOf(fields, 'as');
  const uid = textOf(fields, 'as-uid');
  const groups = listOf(fields, 'as-groups').map(String);
  return {
    ...(user !== undefined && { 'impersonate-user': user }),
    ...(uid !== undefined && { 'impersonate-uid': uid }),
    ...(groups.length > 0 && { 'impersonate-group': groups }),
  };
}

/** The token that an `auth-provider` of older kubectl left in the file, while it is valid. */
function providedToken(fields: Fields): string | undefined {
  const provider = mapOf(fields, 'auth-provider');
  if (provider === undefined) return undefined;
  const name = textOf(provider, 'name') ?? '';
  const token =
    name === 'oidc' ? textOf(mapOf(provider, 'config') ?? provider, 'id-token') : undefined;
  if (token !== undefined && !isExpired(token)) return token;
  throw new ClusterFailure(
    token === undefined
      ? `${provider.where}: the auth-provider ${name} is not spoken`
      : `${provider.where}: the token of the auth-provider oidc has expired`,
    {
      kind: 'credentials',
      hint:
        token === undefined
          ? 'take a context with a token, a certificate or an exec plugin; kubectl itself took gcp and azure out in 1.26'
          : 'kubectl get namespaces renews it; then run this again',
    },
  );
}

/** By its own `exp`; what can't be read is left to the server. */
function isExpired(token: string): boolean {
  try {
    const claims: unknown = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'),
    );
    const expires = isObject(claims) ? claims['exp'] : undefined;
    return typeof expires === 'number' && expires * 1000 <= Date.now();
  } catch {
    return false;
  }
}
