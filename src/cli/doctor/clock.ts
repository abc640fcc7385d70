import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { Check } from '../command-context.ts';
import { failed, passed, warned } from './report.ts';

const askMs = 5000;
const upstreamsMax = 3;
/** Beyond this, freshness and certificates are judged wrongly. */
const skewWarnMs = 30_000;
/** Beyond this, signed requests are refused (SigV4). */
const skewErrorMs = 300_000;

/** Compares the clock with the `Date` of the first upstreams that answer. */
export async function inspectClock(
  rules: readonly PullRule[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Check> {
  for (const rule of rules.slice(0, upstreamsMax)) {
    const url = rule.urls[0];
    if (url === undefined) continue;
    const told = await askTime(url.origin, rule, env, signal);
    if (told !== undefined) return judgeSkew(told.localMs - told.upstreamMs, url.host);
  }
  return rules.length === 0
    ? warned('clock', 'no rule of the configuration names an upstream to ask for the time')
    : warned('clock', 'no upstream could be asked for the time', 'see the upstreams below');
}

/** `skewMs`: ours minus theirs. Half a second is what the `Date` header's whole seconds leave open. */
export function judgeSkew(skewMs: number, host: string): Check {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  const description = `clock agrees with ${host} (${seconds} s apart)`;
  const error = `it is ${seconds} s ${skewMs > 0 ? 'ahead' : 'behind'}`;
  const hint = 'set it, best by NTP';
  if (Math.abs(skewMs) > skewErrorMs) return failed(description, error, hint);
  if (Math.abs(skewMs) > skewWarnMs) return warned(description, error, hint);
  return passed(description);
}

async function askTime(
  origin: string,
  rule: PullRule,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<{ readonly upstreamMs: number; readonly localMs: number } | undefined> {
  const { EnvHttpProxyAgent, request } = await import('undici');
  const tls = { ...(rule.ca === undefined ? {} : { ca: rule.ca }), ...rule.clientCert };
  const dispatcher = new EnvHttpProxyAgent({
    allowH2: false,
    connect: { timeout: askMs, ...tls },
    requestTls: tls,
    httpProxy: env['http_proxy'] ?? env['HTTP_PROXY'] ?? '',
    httpsProxy: env['https_proxy'] ?? env['HTTPS_PROXY'] ?? '',
    noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '',
  });
  try {
    const answer = await request(`${origin}/v2/`, {
      dispatcher,
      method: 'HEAD',
      signal: AbortSignal.any([signal, AbortSignal.timeout(askMs)]),
    });
    const date = answer.headers['date'];
    await answer.body.dump();
    const upstreamMs = typeof date === 'string' ? Date.parse(date) : Number.NaN;
    return Number.isNaN(upstreamMs) ? undefined : { upstreamMs, localMs: Date.now() };
  } catch {
    signal.throwIfAborted();
    return undefined;
  } finally {
    await dispatcher.destroy();
  }
}
