const defaultMs = 60_000;
const leastMs = 1000;
const mostMs = 15 * 60_000;

/** Milliseconds to stay away: 60 s where the header is absent or can't be read, 1 s at least, 15 min at most (RFC 9110 §10.2.3). */
export function parseRetryAfter(header: string | undefined, nowMs: number): number {
  const asked = header === undefined ? undefined : readWait(header.trim(), nowMs);
  return Math.min(Math.max(asked ?? defaultMs, leastMs), mostMs);
}

function readWait(text: string, nowMs: number): number | undefined {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at - nowMs;
}
