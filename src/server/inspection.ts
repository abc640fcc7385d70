import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { errorText } from '../domain/error-text.ts';
import { fetchKeys, KeyFetchFailure } from '../access/identify/key-fetch.ts';
import type { Check, Inspection } from '../cli/command-context.ts';
import { failed, passed, warned } from '../cli/doctor/report.ts';
import { eachAtOnce } from '../coordination/each-at-once.ts';
import type { Config } from '../config/config.ts';
import type { PullRule, UpstreamUrl } from '../domain/rules/pull-rule.ts';
import { parseReference } from '../domain/names/reference.ts';
import { parseRepositoryName } from '../domain/names/repository-name.ts';
import type { FailureReason } from '../domain/upstream-failure.ts';
import { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { Upstream } from '../ports/upstream.ts';
import { systemClock } from '../coordination/system-clock.ts';
import { inspectKeys } from './keys-inspection.ts';
import { readServedRules } from './rules-inspection.ts';
import { createUpstream } from '../upstream/client.ts';

const askedAtOnce = 8;
const askMs = 15_000;

/** What `doctor` asks of the server's own parts while it may be down: the database, and every upstream as the server would ask it. */
export function createInspections(config: Config, env: NodeJS.ProcessEnv): readonly Inspection[] {
  return [
    {
      categoryName: 'database',
      inspect: () => Promise.resolve([inspectDatabase(join(config.dataDir, 'metadata.sqlite'))]),
    },
    { categoryName: 'keys', inspect: () => inspectKeys(config, env) },
    {
      categoryName: 'upstreams',
      inspect: async (signal) => {
        await using upstream = createUpstream({
          clock: systemClock,
          events: { emit: () => undefined },
          env,
        });
        const { rules, unread } = await readServedRules(config, env);
        const checks = await inspectUpstreams(rules, upstream, signal);
        if (unread > 0)
          return [
            ...checks,
            passed(`${unread} more rules that were made through an API: not asked`),
          ];
        return checks.length > 0 ? checks : [passed('no rule leads anywhere yet')];
      },
    },
    { categoryName: 'issuers', inspect: () => inspectIssuers(config.oidc) },
  ];
}

/** Fetches each issuer's keys as the server does when a JWT of it comes. */
export async function inspectIssuers(issuers: Config['oidc']): Promise<readonly Check[]> {
  if (issuers.length === 0) return [passed('no issuer is configured (oidc)')];
  return await Promise.all(issuers.map(inspectIssuer));
}

async function inspectIssuer(issuer: Config['oidc'][number]): Promise<Check> {
  const description = `the keys of ${issuer.issuer} can be had`;
  try {
    await fetchKeys(issuer);
    return passed(description);
  } catch (error) {
    if (!(error instanceof KeyFetchFailure)) throw error;
    const { url, status, contentType, message } = error;
    const answer = [status, contentType].filter((part) => part !== undefined).join(', ');
    const told = `${url}${answer === '' ? '' : ` answered ${answer}`}: ${message}`;
    return failed(description, told, issuerHint(status, message));
  }
}

function issuerHint(status: number | undefined, message: string): string {
  if (status === 401 || status === 403)
    return 'let anonymous read it; in Kubernetes bind system:service-account-issuer-discovery to system:unauthenticated';
  if (/certificate|self-signed/i.test(message))
    return "name its certificate authority in the issuer's caFile";
  return status === undefined
    ? 'check the address, the resolver and the firewall; no proxy is used'
    : "check the issuer's address, or name its key set in jwksUrl";
}

/** Beside a running server too: reading never waits for its writes. */
function inspectDatabase(file: string): Check {
  if (!existsSync(file)) return passed(`${file} is made at the first start`);
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return passed(`${file} opens`);
  } catch (error) {
    return failed(`${file} opens`, errorText(error));
  }
}

interface Finding {
  readonly rule: PullRule;
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/**
 * Every URL of every rule, and the pull quota where Docker Hub is behind it. A built-in upstream that cannot be reached is a
 * warning, since nobody asked for it, unless none can be.
 */
export async function inspectUpstreams(
  rules: readonly PullRule[],
  upstream: Upstream,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const asked = rules.flatMap((rule) => rule.urls.map((url) => ({ rule, url })));
  const findings = await eachAtOnce(asked, askedAtOnce, ({ rule, url }) =>
    inspectUrl(rule, url, upstream, signal),
  );
  const some = findings.some((finding) => finding.ok);
  return findings.flatMap(({ rule, checks }) =>
    some && rule.origin === 'builtin' ? checks.map(asWarning) : checks,
  );
}

function asWarning(check: Check): Check {
  return check.result === 'error' ? { ...check, result: 'warning' } : check;
}

async function inspectUrl(
  rule: PullRule,
  url: UpstreamUrl,
  upstream: Upstream,
  signal: AbortSignal,
): Promise<Finding> {
  const who = rule.credential === undefined ? '' : ` with ${rule.credential.name}`;
  const description = `${rule.prefix}: ${url.origin} answers${who}`;
  const started = performance.now();
  const deadline = AbortSignal.timeout(askMs);
  const either = AbortSignal.any([signal, deadline]);
  try {
    await upstream.ping(rule, url, either);
    const ms = Math.round(performance.now() - started);
    const answered = passed(`${description} (${ms} ms)`);
    const limit =
      rule.upstreamHost === 'docker.io' ? await inspectLimit(rule, url, upstream, either) : [];
    return { rule, ok: true, checks: [answered, ...limit] };
  } catch (error) {
    signal.throwIfAborted();
    const checks = [failed(description, messageOf(error, deadline), hintOf(error, rule))];
    return { rule, ok: false, checks };
  }
}

/** Docker's own repository for asking what is left; a HEAD of it counts as no pull (docs.docker.com, "Docker Hub pull usage"). */
async function inspectLimit(
  rule: PullRule,
  url: UpstreamUrl,
  upstream: Upstream,
  signal: AbortSignal,
): Promise<Check[]> {
  const repository = parseRepositoryName('ratelimitpreview/test');
  const reference = parseReference('latest');
  if (repository === undefined || reference === undefined) return [];
  try {
    await upstream.headManifest({ rule, url, repository }, reference, signal);
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error;
    if (error.kind !== 'rateLimited') return [];
    return [
      warned(
        `${rule.prefix}: pulls are left`,
        error.message,
        'a credential in the rule raises the limit',
      ),
    ];
  }
  const limit = upstream.state(url.host)?.limit;
  if (limit === undefined) return [passed(`${rule.prefix}: no pull limit told`)];
  const hours = limit.windowSeconds / 3600;
  const description = `${rule.prefix}: ${limit.remaining} of ${limit.limit} pulls left per ${hours} h`;
  if (limit.remaining * 10 >= limit.limit) return [passed(description)];
  return [warned(description, 'nearly used up', 'a credential in the rule raises the limit')];
}

function messageOf(error: unknown, deadline: AbortSignal): string {
  if (deadline.aborted && error === deadline.reason) return `no answer within ${askMs / 1000} s`;
  return errorText(error);
}

const reasonHints: Partial<Record<FailureReason, string>> = {
  dns: 'check the name, the resolver, and HTTPS_PROXY where a proxy is needed',
  tls: "name the upstream's certificate authority in the rule's caFile",
  connect: 'check the firewall, and HTTPS_PROXY where a proxy is needed',
  connectTimeout: 'check the firewall, and HTTPS_PROXY where a proxy is needed',
  reset: 'check the firewall, and HTTPS_PROXY where a proxy is needed',
  realmRefused:
    "name the token service's host in the rule's allowHosts, if it is to have the credential",
};

function hintOf(error: unknown, rule: PullRule): string | undefined {
  if (!(error instanceof UpstreamFailure)) return undefined;
  const hint = reasonHints[error.reason];
  if (hint !== undefined) return hint;
  if (error.kind !== 'denied') return undefined;
  return rule.credential === undefined
    ? 'the registry wants a credential: name one in the rule'
    : `check username and access token of ${rule.credential.name}`;
}
