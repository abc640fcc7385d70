import type { UpstreamLimit } from '../../ports/upstream.ts';
import type { Answer } from './exchange.ts';
import { headerOf } from './exchange.ts';

/** What an answer says of a pull quota (`ratelimit-limit: 100;w=21600`); `undefined`: no limit is said, so there is none. */
export function readLimit(
  answer: Pick<Answer, 'headers' | 'secrets'>,
  upstream: string,
  nowMs: number,
): UpstreamLimit | undefined {
  const limit = readQuota(headerOf(answer, 'ratelimit-limit'));
  const remaining = readQuota(headerOf(answer, 'ratelimit-remaining'));
  if (limit === undefined || remaining === undefined) return undefined;
  return {
    upstream,
    limit: limit.count,
    remaining: remaining.count,
    windowSeconds: limit.windowSeconds ?? remaining.windowSeconds ?? 0,
    account: readAccount(answer),
    resetAt: readReset(headerOf(answer, 'ratelimit-reset'), nowMs),
    observedAt: nowMs,
  };
}

function readQuota(
  text: string | undefined,
): { readonly count: number; readonly windowSeconds: number | undefined } | undefined {
  const found = text === undefined ? null : /^\s*(\d{1,12})\s*(?:[;,]|$)/.exec(text);
  if (found === null || text === undefined) return undefined;
  const window = /;\s*w=(\d{1,12})/.exec(text)?.[1];
  return {
    count: Number(found[1]),
    windowSeconds: window === undefined ? undefined : Number(window),
  };
}

/** An address or an id; anything else is not repeated in metrics. */
function readAccount(answer: Pick<Answer, 'headers' | 'secrets'>): string {
  const text = headerOf(answer, 'docker-ratelimit-source');
  if (text === undefined || !/^[\w.:@-]{1,128}$/.test(text)) return '';
  return answer.secrets.redact(text) === text ? text : '';
}

const epochSecondsFrom = 1_000_000_000;

/** Seconds from now (RFC draft), or an epoch as some registries send it. */
function readReset(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined || !/^\d{1,11}$/.test(text.trim())) return undefined;
  const seconds = Number(text);
  return seconds >= epochSecondsFrom ? seconds * 1000 : nowMs + seconds * 1000;
}
