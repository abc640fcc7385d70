const mostMs = 15 * 60_000;
const textCharactersMax = 4096;
const epochSecondsFrom = 1_000_000_000;

/**
 * Milliseconds to stay away, 15 min at most: seconds or a date (RFC 9110 §10.2.3, or as RFC 3339), an epoch in seconds, or a duration as Go
 * writes it (`985.86µs`, `1m30s`). `undefined` where it is absent, can't be read, or has passed.
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.slice(0, textCharactersMax).trim() ?? '';
  const found = /^\d{1,15}$/.test(text)
    ? secondsOrEpoch(Number(text), nowMs)
    : (readDuration(text) ?? readDate(text, nowMs));
  return bounded(found);
}

/**
 * The wait that an error body names in its text or in a field: `retry-after: 985.86µs` (GHCR), `try again in 30 seconds`,
 * `"retry_after": 5`, `"retry_after": "2026-11-29T12:00:00Z"`.
 */
export function waitSaidIn(body: string, nowMs: number): number | undefined {
  const said = /(?:retry|try[ _-]again)[ _-]?(?:after|in)["']?\s{0,8}[:=]?\s{0,8}["']?(.{1,80})/isu;
  const text = said.exec(body.slice(0, textCharactersMax))?.[1];
  if (text === undefined) return undefined;
  const ms = readIsoDate(text, nowMs) ?? readAmounts(text)?.ms;
  return bounded(ms);
}

const isoDate =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?/i;

/** RFC 3339; without an offset it is UTC. */
function readIsoDate(text: string, nowMs: number): number | undefined {
  const [, day, time, offset = 'Z'] = isoDate.exec(text) ?? [];
  const at = Date.parse(`${day}T${time}${offset}`);
  return Number.isNaN(at) ? undefined : at - nowMs;
}

/** When the answer was sent, by its own `Date`: what its other dates are to be compared with, as the two clocks may differ. */
export function sentAt(date: string | undefined, nowMs: number): number {
  return readDate(date ?? '', 0) ?? nowMs;
}

function bounded(ms: number | undefined): number | undefined {
  return ms === undefined || !(ms > 0) ? undefined : Math.min(Math.ceil(ms), mostMs);
}

function secondsOrEpoch(value: number, nowMs: number): number {
  return value >= epochSecondsFrom ? value * 1000 - nowMs : value * 1000;
}

function readDate(text: string, nowMs: number): number | undefined {
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return readIsoDate(text, nowMs);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at - nowMs;
}

/** Units of Go's `time.Duration`, and words. A header's micro sign may come as the two Latin-1 characters of its UTF-8. */
const unitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  âµs: 1e-3,
  'î¼s': 1e-3,
  ms: 1,
  msec: 1,
  millisecond: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
};

const amount = /^\s{0,4}(\d{1,15}(?:\.\d{0,18})?|\.\d{1,18})\s{0,4}([\p{L}¼]{1,16})?/u;

function readDuration(text: string): number | undefined {
  const read = readAmounts(text);
  return read?.rest.trim() === '' ? read.ms : undefined;
}

/** Amounts with their units, one after the other; a lone number is seconds. */
function readAmounts(text: string): { readonly ms: number; readonly rest: string } | undefined {
  let rest = text;
  let ms: number | undefined;
  for (;;) {
    const found = amount.exec(rest);
    const unit = found?.[2]?.toLowerCase();
    const unitMs =
      unit === undefined ? undefined : (unitsMs[unit] ?? unitsMs[unit.replace(/s$/, '')]);
    if (found === null || (unitMs === undefined && ms !== undefined)) break;
    const value = Number(found[1]);
    if (unitMs === undefined) {
      // Seconds; a word that follows belongs to the sentence.
      const number = /^\s*[\d.]+/.exec(rest)?.[0] ?? '';
      return { ms: value * 1000, rest: rest.slice(number.length) };
    }
    ms = (ms ?? 0) + value * unitMs;
    rest = rest.slice(found[0].length);
  }
  return ms === undefined ? undefined : { ms, rest };
}
