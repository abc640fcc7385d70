import type { ExplainedTag, Explanation } from '../../contract/explanation.ts';
import { formatSeconds } from './unit-words.ts';
import { alignRows, printable } from './table.ts';
import type { Paint } from './terminal.ts';

export interface ExplanationLook {
  /** Names what is missing, too. */
  readonly wide: boolean;
  readonly paint: Paint;
}

type Row = readonly [string, string];

/** An explanation for reading: what a pull would do first, then why. */
export function renderExplanation(found: Explanation, look: ExplanationLook): string {
  const { paint, wide } = look;
  const separator = found.reference.includes(':') ? '@' : ':';
  const rows: Row[] = [
    ...callerRows(found),
    ['verdict', `${found.verdict.code}: ${found.verdict.text}`],
    ...ruleRows(found),
    ...tagRows(found),
    ...contentRows(found, wide),
    ...limiterRows(found),
    ...lastTryRows(found),
    ...probeRows(found),
  ];
  const aligned = alignRows(rows.map(([key, value]) => [key, printable(value)]));
  const colored = aligned.replaceAll(/^\S+/gm, (key) => paint('dim', key));
  return `${paint('bold', `${found.repository}${separator}${found.reference}`)}\n${colored}`;
}

/** What they would get, by the status that their client shows. */
function callerRows({ callers = [] }: Explanation): Row[] {
  return callers.map(({ as, from, status, text }) => [
    'pull',
    `${status} for ${as} from ${from}: ${text}`,
  ]);
}

function ruleRows(found: Explanation): Row[] {
  const { rule, upstream, admission, access, stopped } = found;
  if (rule === null || upstream === null) return [['rule', 'none leads here']];
  const credential = rule.credential === null ? '' : `, credential ${rule.credential}`;
  const rows: Row[] = [
    ['rule', `${rule.prefix} (${rule.origin}${credential})`],
    ['upstream', `${upstream.url}/v2/${upstream.repository}`],
  ];
  if (upstream.mirrors.length > 0) rows.push(['mirrors', upstream.mirrors.join(', ')]);
  rows.push(['admission', `${admission.allowed ? 'allowed' : 'denied'}: ${admission.reason}`]);
  rows.push(['access', `${access.anonymous ? 'anonymous' : 'credentials'}: ${access.reason}`]);
  if (stopped !== null) rows.push(['stopped', `since ${stopped.at}: ${stopped.reason}`]);
  return rows;
}

function tagRows(found: Explanation): Row[] {
  const { tag, rule } = found;
  if (tag === null) return found.reference.includes(':') ? [] : [['tag', 'not known']];
  const rows: Row[] = [
    ['digest', tag.digest],
    ['from', tag.provenance],
    ...(tag.provenance === 'cached' ? [validatedRow(tag, rule)] : []),
    ['history', `${tag.historyCount} digest${tag.historyCount === 1 ? '' : 's'}`],
  ];
  if (tag.status !== 'ok') rows.push(['status', `upstream ${tag.status}`]);
  return rows;
}

function validatedRow(tag: ExplainedTag, rule: Explanation['rule']): Row {
  if (tag.freshUntil === null) return ['validated', `${tag.validatedAt}, immutable`];
  const fresh = tag.fresh ? `fresh until ${tag.freshUntil}` : `stale since ${tag.freshUntil}`;
  const freshFor = rule === null ? '' : ` (freshFor ${formatSeconds(rule.freshForSeconds)})`;
  const standing = tag.sourceChanged ? 'from another source' : fresh;
  return ['validated', `${tag.validatedAt}, ${standing}${freshFor}`];
}

function contentRows(found: Explanation, wide: boolean): Row[] {
  const { content } = found;
  if (content.state === 'absent') return [['content', 'not held']];
  const { held, missing } = content;
  const bound = content.truncated ? ' at least' : '';
  const parts = [
    `${content.state}: held${bound} ${held.manifests} manifests, ${held.blobs} blobs`,
    ...(content.state === 'complete'
      ? []
      : [`not held${bound} ${missing.manifests} manifests, ${missing.blobs} blobs`]),
  ];
  const rows: Row[] = [['content', parts.join('; ')]];
  for (const { platform, state } of content.platforms)
    rows.push(['platform', `${platform} ${state}`]);
  if (wide)
    for (const { role, digest } of content.examples) rows.push(['missing', `${role} ${digest}`]);
  return rows;
}

function limiterRows(found: Explanation): Row[] {
  const { limiter } = found;
  if (limiter === null)
    return found.rule === null ? [] : [['limiter', 'upstream was not asked yet']];
  const rests = limiter.restsUntil === null ? '' : `, tried again from ${limiter.restsUntil} on`;
  const parts = [`breaker ${limiter.breaker}${rests}`];
  if (limiter.heldUntil !== null) parts.push(`limited until ${limiter.heldUntil}`);
  const { limit } = limiter;
  if (limit !== null) {
    const reset = limit.resetAt === null ? '' : `, resets ${limit.resetAt}`;
    const per = formatSeconds(limit.windowSeconds);
    parts.push(`${limit.remaining} of ${limit.limit} pulls left per ${per}${reset}`);
  }
  const rows: Row[] = [['limiter', parts.join('; ')]];
  if (limiter.lastFailure !== null)
    rows.push(['failure', `${limiter.lastFailure.at}: ${limiter.lastFailure.message}`]);
  return rows;
}

function lastTryRows({ lastTry }: Explanation): Row[] {
  if (lastTry === null) return [];
  const { at, message, nextAt } = lastTry;
  const next = nextAt === null ? 'the next pull asks again' : `asked again from ${nextAt} on`;
  return [['tried', `${at}: ${message}; ${next}`]];
}

function probeRows(found: Explanation): Row[] {
  const { probe } = found;
  if (probe === null) return [];
  if (probe.failure !== null)
    return [
      ['probe', `${probe.upstream} failed after ${probe.durationMs} ms: ${probe.failure.message}`],
    ];
  const digest = probe.digest ?? 'without a digest';
  const same = probe.digest !== null && probe.digest === found.tag?.digest ? ', as held' : '';
  return [['probe', `${probe.upstream} answered in ${probe.durationMs} ms: ${digest}${same}`]];
}
