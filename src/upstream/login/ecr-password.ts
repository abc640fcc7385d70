import { startDeadline } from '../../coordination/waiting.ts';
import { own as ownOf, parseJsonObject } from '../../domain/json.ts';
import type { Credential, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { failure, unusable } from '../../domain/upstream-failure.ts';
import { readDecoded } from '../content/content-coding.ts';
import { hostnameOf } from '../credentials.ts';
import { secretsOf } from '../redaction.ts';
import { failureOfStatus } from '../statuses.ts';
import { deadlinesMs } from '../wire/deadlines.ts';
import type { Answer } from '../wire/exchange.ts';
import type { AwsCall, AwsKeys } from './aws-signing.ts';
import { signAwsCall } from './aws-signing.ts';
import type { IssuedToken } from './token-answer.ts';
import type { TokenParts, TokenRequest } from './token-request.ts';

const answerBytesMax = 256 * 1024;
/** A password is renewed so long before its end, or a tenth of its life, where that is less. */
const marginMsMax = 30 * 60_000;
const ecrTarget = 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken';
const amazonDomains: ReadonlySet<string> = new Set([
  'amazonaws.com',
  'amazonaws.com.cn',
  'amazonaws.eu',
]);

/** Stands in a token's request for the realm, which no challenge names. */
export const ecrRealm = 'ecr:password';

/** Where a private registry of ECR's form gives out passwords. */
export interface EcrPlace {
  readonly region: string;
  readonly ecr: URL;
  readonly sts: URL;
}

/**
 * Whether a credential is an access key of a private ECR: then its password is asked for with it, and the key itself never shown to the
 * registry. Amazon's answer at `api.ecr.<region>`, others at the registry's own address.
 */
export function ecrPlaceOf(
  url: UpstreamUrl,
  credential: Credential | undefined,
): EcrPlace | undefined {
  if (credential === undefined || !/^AKIA[A-Z0-9]{8,124}$/.test(credential.username))
    return undefined;
  const match = /^\d{12}\.dkr\.ecr(-fips)?\.([a-z0-9-]{2,25})\.(.+)$/.exec(hostnameOf(url));
  const [, fips, region, domain] = match ?? [];
  if (region === undefined || domain === undefined) return undefined;
  if (!amazonDomains.has(domain))
    return { region, ecr: new URL('/', url.origin), sts: new URL('/', url.origin) };
  const ecr = fips === undefined ? 'api.ecr' : 'ecr-fips';
  return {
    region,
    ecr: new URL(`https://${ecr}.${region}.${domain}/`),
    sts: new URL(`https://sts${fips ?? ''}.${region}.${domain}/`),
  };
}

/** The password for `AWS`, asked for with the rule's access key, or as its role, which that key may assume. Throws `UpstreamFailure`. */
export async function fetchEcrPassword(
  parts: TokenParts,
  request: TokenRequest,
  { region, ecr, sts }: EcrPlace,
  signal: AbortSignal,
): Promise<IssuedToken> {
  const { credential, origin } = request;
  const late = (): Error =>
    failure(
      `password of ${ecr.host}: not whole in time`,
      'timeout',
      'totalTimeout',
      origin.url.host,
    );
  using deadline = startDeadline(parts.clock, deadlinesMs.wholeToken, late, signal);
  const { username = '', accessToken = '' } = credential ?? {};
  const own: AwsKeys = { accessKeyId: username, secretAccessKey: accessToken };
  const { role } = origin.rule;
  const session =
    role === undefined
      ? undefined
      : await assumeRole(parts, request, { url: sts, region, role, keys: own }, deadline.signal);
  const call = {
    url: ecr,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': ecrTarget },
    body: '{}',
    region,
    service: 'ecr',
  };
  const text = await ask(parts, request, call, session?.keys ?? own, deadline.signal);
  return readPassword(parts, request, text, ecr, session?.expiresAt);
}

interface Session {
  readonly keys: AwsKeys;
  /** Wall ms. */
  readonly expiresAt: number;
}

async function assumeRole(
  parts: TokenParts,
  request: TokenRequest,
  { url, region, role, keys }: { url: URL; region: string; role: string; keys: AwsKeys },
  signal: AbortSignal,
): Promise<Session> {
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: 'breakwater',
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
  const call = { url, headers, body, region, service: 'sts' };
  const text = await ask(parts, request, call, keys, signal);
  const element = (name: string): string | undefined =>
    new RegExp(`<${name}>\\s*([^<\\s]{1,16384})\\s*</${name}>`).exec(text)?.[1];
  const [accessKeyId, secretAccessKey] = [element('AccessKeyId'), element('SecretAccessKey')];
  const sessionToken = element('SessionToken');
  const expiresAt = Date.parse(element('Expiration') ?? '');
  if (!accessKeyId || !secretAccessKey || !sessionToken || Number.isNaN(expiresAt))
    throw unusable(
      `AssumeRole at ${url.host}: the answer holds no credentials`,
      'badJson',
      request.origin.url.host,
    );
  const secrets = secretsOf(request.origin.rule);
  for (const secret of [secretAccessKey, sessionToken]) secrets.add(secret);
  return { keys: { accessKeyId, secretAccessKey, sessionToken }, expiresAt };
}

function readPassword(
  { clock }: TokenParts,
  { origin }: TokenRequest,
  text: string,
  url: URL,
  sessionEnd = Infinity,
): IssuedToken {
  const data = ownOf(parseJsonObject(text) ?? {}, 'authorizationData');
  const [first] = (Array.isArray(data) ? data : []) as readonly (
    | { readonly authorizationToken?: unknown; readonly expiresAt?: unknown }
    | undefined
  )[];
  const encoded = first?.authorizationToken;
  const decoded = Buffer.from(typeof encoded === 'string' ? encoded : '', 'base64').toString();
  const [, value] = /^AWS:([!-~]{1,32768})$/.exec(decoded) ?? [];
  const end = Number(first?.expiresAt) * 1000;
  if (value === undefined || Number.isNaN(end))
    throw unusable(
      `GetAuthorizationToken at ${url.host}: the answer holds no password`,
      'badJson',
      origin.url.host,
    );
  secretsOf(origin.rule).add(value);
  const leftMs = Math.max(Math.min(end, sessionEnd) - clock.now(), 60_000);
  return { value, usableMs: leftMs - Math.min(leftMs / 10, marginMsMax) };
}

/** What a call is answered. Throws `UpstreamFailure`: a no is the credential's, with AWS's name for it. */
async function ask(
  parts: TokenParts,
  { origin, own }: TokenRequest,
  call: AwsCall,
  keys: AwsKeys,
  signal: AbortSignal,
): Promise<string> {
  const { url } = call;
  const answer = await parts.wire.send(
    {
      origin,
      kind: 'token',
      method: 'POST',
      url,
      headers: signAwsCall(call, keys, parts.clock.now()),
      body: call.body,
      pool: 'quick',
      admission: parts.admissionOf(origin, url),
      identified: own && url.origin === origin.url.origin,
      firstByteMs: deadlinesMs.firstByte,
    },
    signal,
  );
  const { status } = answer;
  const upstream = origin.url.host;
  const asked = `${call.service === 'ecr' ? 'GetAuthorizationToken' : 'AssumeRole'} at ${url.host}`;
  if (status >= 500) throw await failureOfStatus(answer, asked, upstream, parts.clock);
  const text = Buffer.from(await readDecoded(answer, answerBytesMax, upstream)).toString('utf8');
  if (status >= 200 && status < 300) return text;
  throw refused(parts, answer, asked, upstream, text);
}

function refused(
  { events }: TokenParts,
  { status }: Answer,
  asked: string,
  upstream: string,
  text: string,
): Error {
  const code = codeIn(text);
  if (/^(?:Throttling|TooManyRequests|RequestLimitExceeded)/.test(code))
    return failure(`${asked}: ${code}`, 'rateLimited', 'status', upstream, { status: 429 });
  events.emit({ type: 'authFailed', upstream });
  const message = `${asked}: ${status}${code === '' ? '' : ` ${code}`}`;
  return failure(message, 'denied', 'tokenRefused', upstream, { status: 401 });
}

/** AWS's name of an error, of JSON or XML; empty for anything else. */
function codeIn(text: string): string {
  const type = ownOf(parseJsonObject(text) ?? {}, '__type');
  const said = typeof type === 'string' ? type : /<Code>([^<]*)<\/Code>/.exec(text)?.[1];
  return /([A-Za-z.]{1,100})$/.exec(said ?? '')?.[1] ?? '';
}
