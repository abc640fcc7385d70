import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type * as tldts from 'tldts';
import type { Credential, PullRule, UpstreamUrl } from '../domain/rules/pull-rule.ts';
import type { Origin } from '../ports/upstream.ts';

const require = createRequire(import.meta.url);

/**
 * The credential that may go to one of a rule's URLs. It belongs to the first; a mirror gets it only where it is the same
 * host, shares its registrable domain or is in `allowHosts` (ARCHITECTURE.md, "Where a rule leads").
 */
export function credentialFor(rule: PullRule, url: UpstreamUrl): Credential | undefined {
  const [first] = rule.urls;
  const host = hostnameOf(url);
  return isRelated(host, hostnameOf(first)) || isNamed(rule, host, url.host)
    ? rule.credential
    : undefined;
}

/** Whether a token service may be asked at all: no step down from https. */
export function admitsScheme(url: UpstreamUrl, realm: URL): boolean {
  return realm.protocol === 'https:' || (realm.protocol === 'http:' && url.plain);
}

/** Whether a token service may be given the credential: the rule's host, its registrable domain, or one of `allowHosts`. */
export function admitsRealm(rule: PullRule, url: UpstreamUrl, realm: URL): boolean {
  return (
    admitsScheme(url, realm) &&
    (isRelated(realm.hostname, hostnameOf(url)) ||
      isOwnService(realm.hostname, hostnameOf(url)) ||
      isNamed(rule, realm.hostname, realm.host))
  );
}

/** Whether `allowHosts` names a host, with or without its port. */
export function isNamed(rule: PullRule, hostname: string, host: string): boolean {
  return rule.allowHosts.some((entry) => {
    const allowed = entry.toLowerCase();
    return allowed === hostname || allowed === host;
  });
}

export function hostnameOf(url: UpstreamUrl): string {
  return new URL(url.origin).hostname;
}

/**
 * Domains under which whoever pays has a host, a bucket or a load balancer of their own, and which the public suffix list does not
 * have (or only in part, as amazonaws.com): two hosts there are two owners.
 */
const sharedDomains: readonly string[] = [
  'amazonaws.com',
  'amazonaws.com.cn',
  'amazonaws.eu',
  'aliyuncs.com',
  'azurecr.cn',
  'azurecr.io',
  'azurecr.us',
  'cloudsmith.io',
  'jfrog.io',
  'jfrog.team',
  'myhuaweicloud.com',
  'pkg.dev',
  'scw.cloud',
  'tencentcloudcr.com',
];

/** Token services that a provider keeps for its registries on its shared domain; `oss-…` is where buckets are. */
const ownServices: readonly (readonly [domain: string, service: RegExp])[] = [
  ['aliyuncs.com', /^dockerauth(?:-[a-z\d-]+)?\.(?!oss-)[a-z\d-]+\.aliyuncs\.com$/],
];

function isRelated(one: string, other: string): boolean {
  if (one === other) return true;
  if (isShared(one) || isShared(other)) return false;
  // Two megabytes of names, which a server needs when it first meets two hosts.
  const { getDomain } = require('tldts') as typeof tldts;
  const domain = getDomain(one, { allowPrivateDomains: true });
  return domain !== null && domain === getDomain(other, { allowPrivateDomains: true });
}

function isShared(host: string): boolean {
  return sharedDomains.some((domain) => host === domain || host.endsWith(`.${domain}`));
}

function isOwnService(realm: string, host: string): boolean {
  return ownServices.some(
    ([domain, service]) => host.endsWith(`.${domain}`) && service.test(realm),
  );
}

const keys = new WeakMap<Credential, string>();

/** Tells credentials apart without being one; empty for none. */
export function credentialKey(credential: Credential | undefined): string {
  if (credential === undefined) return '';
  const kept = keys.get(credential);
  if (kept !== undefined) return kept;
  const { name, username, accessToken } = credential;
  const key = createHash('sha256')
    .update(JSON.stringify([name, username, accessToken]))
    .digest('base64url');
  keys.set(credential, key);
  return key;
}

/** The key of what is shown to one of a rule's URLs. */
export function credentialKeyOf({ rule, url }: Origin): string {
  return rule.credential === undefined ? '' : credentialKey(credentialFor(rule, url));
}
