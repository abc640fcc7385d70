import { classifyHost } from '../names/address-guard.ts';
import { normalizeHost } from '../names/host-name.ts';
import { parseRepositoryName } from '../names/repository-name.ts';
import { ruleDefaults } from './builtin-rules.ts';
import type { Credential, PullRule, UpstreamUrl } from './pull-rule.ts';
import { RegistryError } from '../errors.ts';
import { invalidRule, ruleError } from './rule-error.ts';
import type { RuleKind } from './rule-kind.ts';
import { needsSecret, ruleKindOf, ruleKinds } from './rule-kind.ts';
import type { RuleSettings } from './rule-settings.ts';
import { checkRuleSettings } from './rule-settings.ts';
import { withCanonicalHead, prefixCharactersMax, rootPrefix } from './rule-set.ts';
import { parseUpstreamUrl } from './upstream-url.ts';

/**
 * Where rules that are made through an API may lead (ARCHITECTURE.md, "Where a rule leads"). `strict`: to the registries that ECR
 * knows, with its demands and errors. `public`: to any public host by https. `any`: wherever a rule of the file may.
 */
export type ApiUpstreams = 'strict' | 'public' | 'any';

/** A rule as somebody asked for it: the texts are kept byte for byte. */
export interface RuleRequest {
  readonly prefix: string;
  readonly upstreamUrl: string;
  /** Absent: inferred from the URL. */
  readonly upstreamRegistry?: string | undefined;
  /** `ROOT` and absent: none. */
  readonly upstreamPrefix?: string | undefined;
  readonly credentialArn?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly settings: RuleSettings;
}

/** What a request means, with aliases applied. */
export interface RuleMeaning {
  /** What the rule is found by, and compared with other rules' prefixes by. */
  readonly prefix: string;
  readonly upstream: UpstreamUrl;
  /** Absent for a registry that ECR does not know. */
  readonly kind: RuleKind | undefined;
  /** Empty: none. */
  readonly upstreamPrefix: string;
}

const arnCharacters = { least: 50, most: 612 } as const;
const credentialArn =
  /^arn:aws(?:-\w+)*:secretsmanager:[a-zA-Z0-9-:]+:secret:ecr-pullthroughcache\/[a-zA-Z0-9/_+=.@-]+$/;
const roleArn = /^arn:aws(?:-[a-z]+)*:iam::\d{12}:role\/[\w+=,.@/-]+$/;

/** Reads a request for a rule; throws `RegistryError`. Nothing is asked of anybody. */
export function readRuleRequest(request: RuleRequest, upstreams: ApiUpstreams): RuleMeaning {
  const { credentialArn: credential, roleArn: role } = request;
  const prefix = readPrefix(request.prefix);
  const { upstream, kind } = readUpstream(request, upstreams);
  if (credential !== undefined) checkCredentialArn(credential);
  if (role !== undefined) checkRoleArn(role);
  if (upstreams === 'strict' && kind !== undefined && needsSecret(kind) && credential === undefined)
    throw ruleError(
      'upstreamUnsupported',
      'The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN and try again',
      { detail: { field: 'credential' } },
    );
  const upstreamPrefix = readUpstreamPrefix(request.upstreamPrefix, prefix);
  checkRuleSettings(request.settings);
  return { prefix, upstream, kind, upstreamPrefix };
}

/** The prefix that rules are compared by: `p/` is `p`, a host's aliases are its name. Throws `RegistryError`. */
export function readPrefix(text: string): string {
  if (text === rootPrefix) return text;
  const bare = text.endsWith('/') ? text.slice(0, -1) : text;
  if (bare.length > prefixCharactersMax || parseRepositoryName(bare) === undefined)
    throw invalidRule(
      'prefix',
      text,
      `write lower-case letters, digits, ".", "_", "-" and "/" between parts, ${prefixCharactersMax} characters at most, or ROOT`,
    );
  return withCanonicalHead(bare);
}

export function checkCredentialArn(text: string): void {
  const { least, most } = arnCharacters;
  if (text.length < least || text.length > most || !credentialArn.test(text))
    throw invalidRule(
      'credential',
      text,
      'write the ARN of a secret whose name begins with ecr-pullthroughcache/, as arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub',
    );
}

export function checkRoleArn(text: string): void {
  if (text.length > 2048 || !roleArn.test(text))
    throw invalidRule('role', text, 'write the ARN of a role, arn:aws:iam::…:role/…');
}

function readUpstreamPrefix(text: string | undefined, prefix: string): string {
  if (text === undefined || text === rootPrefix) return '';
  const bare = text.endsWith('/') ? text.slice(0, -1) : text;
  if (bare.length > prefixCharactersMax || parseRepositoryName(bare) === undefined)
    throw invalidRule(
      'upstreamPrefix',
      text,
      'write the beginning of repository names at the upstream, or ROOT for all of them',
    );
  if (prefix === rootPrefix)
    throw invalidRule('upstreamPrefix', text, 'a rule whose prefix is ROOT takes ROOT alone');
  return bare;
}

function readUpstream(
  { upstreamUrl, upstreamRegistry }: RuleRequest,
  upstreams: ApiUpstreams,
): Pick<RuleMeaning, 'upstream' | 'kind'> {
  const parsed = parseUpstreamUrl(upstreamUrl);
  const isStrict = upstreams === 'strict';
  if ('problem' in parsed)
    throw unsupported(upstreamUrl, isStrict ? undefined : `it is ${parsed.problem}`);
  const kind = isStrict ? ruleKindOf(upstreamUrl) : ruleKindOf(parsed.host);
  if (isStrict && kind === undefined) throw unsupported(upstreamUrl);
  if (upstreams === 'public') assertPublic(upstreamUrl, parsed);
  if (upstreamRegistry !== undefined && upstreamRegistry !== kind)
    throw ruleError(
      'upstreamUnsupported',
      ruleKinds.some((known) => known === upstreamRegistry)
        ? `The upstream registry URL ${upstreamUrl} is not of the upstream registry ${upstreamRegistry}. Specify a valid upstream registry URL and try again`
        : `The upstream registry ${upstreamRegistry.slice(0, 64)} is invalid. Specify one of ${ruleKinds.join(', ')}, or none, and try again`,
      { detail: { field: 'upstreamRegistry', value: upstreamRegistry.slice(0, 64) } },
    );
  return { upstream: parsed, kind };
}

function assertPublic(text: string, { plain, origin, host }: UpstreamUrl): void {
  const { hostname, port } = new URL(origin);
  const why = plain
    ? 'it is http'
    : port !== ''
      ? 'it has a port'
      : notPublic(hostname)
        ? `${host} is no public host`
        : undefined;
  if (why !== undefined)
    throw unsupported(
      text,
      `${why}: apiUpstreams: public admits public hosts by https alone; the operator of this server can set apiUpstreams: any, or write the rule into the configuration file`,
    );
}

/** Addresses that are known not to be public, and names that no public registry can have (RFC 6761, RFC 6762). */
function notPublic(hostname: string): boolean {
  const known = classifyHost(hostname);
  if (known !== undefined) return known !== 'public';
  return (
    !hostname.includes('.') || /\.(?:local|localhost|internal|invalid|home\.arpa)$/.test(hostname)
  );
}

function unsupported(url: string, why?: string): RegistryError {
  return ruleError(
    'upstreamUnsupported',
    `The upstream registry URL ${url.slice(0, 255)} is invalid. Specify a valid upstream registry URL and try again${why === undefined ? '' : ` (${why})`}`,
    { detail: { field: 'upstream', value: url.slice(0, 255) } },
  );
}

/** A stored rule with what is known of its secret. */
export interface StoredRule extends RuleRequest {
  readonly id: string;
  readonly revision: number;
  /** Absent: the rule has no credential. */
  readonly credential: Credential | undefined;
  /** Why the credential can't be had. */
  readonly credentialProblem: string | undefined;
}

/**
 * A stored rule as pulls use it. Where the setting that is in force now would not admit it, it stays: what it brought is served, and
 * its upstream is not asked.
 */
export function ruleOfApi(stored: StoredRule, upstreams: ApiUpstreams): PullRule {
  const { credential, settings } = stored;
  const { meaning, problem } = readStored(stored, upstreams);
  const blocked = problem ?? stored.credentialProblem;
  return {
    ...ruleDefaults,
    anonymousPull: settings.anonymousPull ?? credential === undefined,
    freshForMs: settings.freshForMs ?? ruleDefaults.freshForMs,
    staleBudgetMs: settings.staleBudgetMs ?? ruleDefaults.staleBudgetMs,
    onFailure: { ...ruleDefaults.onFailure, ...settings.onFailure },
    platforms: settings.platforms ?? ruleDefaults.platforms,
    push: settings.push ?? ruleDefaults.push,
    allow: settings.allow ?? ruleDefaults.allow,
    deny: settings.deny ?? ruleDefaults.deny,
    origin: 'api',
    id: stored.id,
    revision: stored.revision,
    prefix: meaning.prefix,
    urls: [meaning.upstream],
    upstreamHost: normalizeHost(meaning.upstream.host),
    upstreamPrefix: meaning.upstreamPrefix,
    credential,
    ...(stored.roleArn === undefined ? {} : { role: stored.roleArn }),
    ...(upstreams === 'any' ? {} : { reach: 'public' as const }),
    ...(blocked === undefined ? {} : { blocked }),
  };
}

/** Only where it leads is looked at: what ECR demands besides was demanded when it was made. */
function readStored(
  stored: StoredRule,
  upstreams: ApiUpstreams,
): { readonly meaning: RuleMeaning; readonly problem: string | undefined } {
  const meaning = readRuleRequest(stored, 'any');
  try {
    readUpstream(stored, upstreams);
    return { meaning, problem: undefined };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { meaning, problem: error.message };
  }
}
