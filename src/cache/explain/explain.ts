import type {
  ExplainedLimiter,
  ExplainedProbe,
  ExplainedTag,
  Explanation,
} from '../../contract/explanation.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import type { PullRule, PullTarget } from '../../domain/rules/pull-rule.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { formatReference } from '../../domain/names/reference.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { RulesOf } from '../../domain/rules/rule-set.ts';
import { rootPrefix } from '../../domain/rules/rule-set.ts';
import { isTagImmutable } from '../../domain/names/tag-mutability.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { StoredRepository, StoredTag } from '../../metadata/contract/rows.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Upstream, UpstreamState } from '../../ports/upstream.ts';
import type { SpaceGate } from '../space/space-gate.ts';
import { nothingHere, walkContent } from './completeness.ts';
import { findManifestHead } from '../memory/head-hints.ts';
import { locateImage } from './image-target.ts';
import type { LastTries, LastTry } from '../memory/refusals.ts';
import { forecastPull } from './pull-forecast.ts';
import type { UpstreamsNo } from './pull-forecast.ts';
import type { TagLister } from '../pull/list-tags.ts';
import { freshnessOf } from '../memory/tag-freshness.ts';

const historyCountMax = 100;
const probeMs = 15_000;
/** For so long after upstream refused an image the next pull is taken to meet the same. */
const refusalCountsMs = 600_000;

export interface ExplainParts {
  readonly registry: RegistryKey;
  readonly rules: RulesOf;
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly space: Pick<SpaceGate, 'shortage'>;
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Our own addresses as an image may begin with them: lower case, with port. */
  readonly ownHosts: () => ReadonlySet<string>;
  readonly tagLists: Pick<TagLister, 'knowsUpstreamTag'>;
  readonly tries: Pick<LastTries, 'find'>;
  readonly anonymousAccess: AnonymousAccess;
}

/** Whether anonymous may read what comes through a rule into a repository, policies and settings apart, and why: access's answer. */
export type AnonymousAccess = (
  rule: PullRule | undefined,
  stored: StoredRepository | undefined,
) => Explanation['access'];

export interface ExplainRequest {
  readonly image: string;
  /** One HEAD at the upstream; without it nothing goes out. */
  readonly probe: boolean;
}

/** Throws `requestInvalid` for a text that is no image. */
export type Explain = (request: ExplainRequest, signal: AbortSignal) => Promise<Explanation>;

/** Says what would happen to a pull, and why; changes nothing. */
export function createExplainer(parts: ExplainParts): Explain {
  return async (request, signal) => {
    const located = locateImage(request.image, parts.rules(parts.registry), parts.ownHosts());
    const { reference } = located;
    const key: RepositoryKey = { registry: parts.registry, repository: located.target.repository };
    const now = parts.clock.now();
    const stored = await parts.metadata.repositories.findRepository(key);
    const isOwn = stored?.pushed === true && located.target.rule?.prefix === rootPrefix;
    const { target } = located;
    // Of a repository of our own ROOT is not asked; what it brought still counts by it.
    const rule = isOwn ? undefined : target.rule;
    const tag =
      reference.kind === 'tag' ? await parts.metadata.tags.findTag(key, reference.tag) : undefined;
    const digest = reference.kind === 'digest' ? reference.digest : tag?.digest;
    const info = digest && (await parts.metadata.manifests.findManifestInfo(key, digest));
    const isPushed = info?.provenance !== undefined;
    const stopped = explainStop(target.rule, stored);
    const walked = { key, rule: target.rule, stopped: stopped !== null && isPushed };
    const found = {
      image: request.image,
      repository: target.repository,
      reference: formatReference(reference),
      rule: rule === undefined ? null : explainRule(rule),
      upstream: rule === undefined ? null : explainUpstream(rule, target),
      admission: explainAdmission(target, reference),
      access: parts.anonymousAccess(target.rule, stored),
      stopped,
      tag: tag === undefined ? null : await explainTag(parts, key, target, { tag, stored }, now),
      content:
        digest === undefined
          ? nothingHere
          : await walkContent({ ...walked, digest }, parts, signal),
      limiter:
        rule === undefined ? null : explainLimiter(parts.upstream.state(rule.urls[0].host, rule)),
      space: (await parts.space.shortage()) ?? null,
    };
    const subject = reference.kind === 'tag' ? reference.tag : reference.digest;
    const last = lastSince(parts.tries.find({ registry: parts.registry, target }, subject), tag);
    const probed = request.probe && rule !== undefined && found.admission.allowed;
    const asked = probed ? await probeUpstream(parts, rule, target, reference, signal) : undefined;
    const listed =
      reference.kind === 'tag' &&
      parts.tagLists.knowsUpstreamTag({ registry: parts.registry, target }, reference.tag);
    const upstreamHas = asked?.probe.ok === true || listed;
    const no = asked === undefined ? (ruleNo(rule) ?? lastNo(last, now)) : asked.no;
    const verdict = forecastPull(found, { upstreamHas, isPushed, no });
    return { ...found, lastTry: explainTry(last), verdict, probe: asked?.probe ?? null };
  };
}

function explainRule(rule: PullRule): Explanation['rule'] {
  return {
    prefix: rule.prefix,
    origin: rule.origin,
    credential: rule.credential?.name ?? null,
    anonymousPull: rule.anonymousPull,
    freshForSeconds: rule.freshForMs / 1000,
    platforms: typeof rule.platforms === 'string' ? rule.platforms : rule.platforms.join(', '),
  };
}

function explainUpstream(rule: PullRule, target: PullTarget): Explanation['upstream'] {
  const [first, ...mirrors] = rule.urls;
  return {
    url: first?.origin ?? '',
    mirrors: mirrors.map((url) => url.origin),
    repository: target.upstreamRepository,
  };
}

function explainAdmission(target: PullTarget, reference: Reference): Explanation['admission'] {
  const rule = target.rule;
  if (rule === undefined) return { allowed: true, reason: 'no rule, no patterns' };
  if (rule.allow.length === 0 && rule.deny.length === 0)
    return { allowed: true, reason: 'the rule has no allow or deny patterns' };
  return isAllowed(rule, target.upstreamRepository, reference)
    ? { allowed: true, reason: "the rule's allow and deny patterns admit it" }
    : { allowed: false, reason: "the rule's allow and deny patterns refuse it" };
}

/** Only a rule that says `stop` can stop a repository. */
function explainStop(
  rule: PullRule | undefined,
  stored: StoredRepository | undefined,
): Explanation['stopped'] {
  if (rule?.onFailure.denied !== 'stop' || stored?.stopped === undefined) return null;
  return { at: iso(stored.stopped.at), reason: stored.stopped.reason };
}

/** A try that failed, unless upstream has given the tag since. */
function lastSince(last: LastTry | undefined, tag: StoredTag | undefined): LastTry | undefined {
  return last === undefined || (tag?.validatedAt ?? 0) > last.at ? undefined : last;
}

/** What a rule that may not ask its upstream answers. */
function ruleNo(rule: PullRule | undefined): UpstreamsNo | undefined {
  return rule?.blocked === undefined ? undefined : { kind: 'denied', message: rule.blocked };
}

/** What upstream says of the image itself; whether it can be reached its breaker and its limits tell better. */
function lastNo(last: LastTry | undefined, now: number): UpstreamsNo | undefined {
  if (last === undefined || now - last.at > refusalCountsMs) return undefined;
  const { kind, message, at } = last;
  if (kind !== 'notFound' && kind !== 'denied' && kind !== 'invalid') return undefined;
  return { kind, message, at: iso(at) };
}

function explainTry(last: LastTry | undefined): Explanation['lastTry'] {
  if (last === undefined) return null;
  return { at: iso(last.at), message: last.message, nextAt: isoOrNull(last.nextAt) };
}

async function explainTag(
  parts: ExplainParts,
  key: RepositoryKey,
  target: PullTarget,
  { tag, stored }: { readonly tag: StoredTag; readonly stored: StoredRepository | undefined },
  now: number,
): Promise<ExplainedTag> {
  const { kind } = freshnessOf(tag, { registry: parts.registry, target }, now);
  const immutable = stored !== undefined && isTagImmutable(stored.tagMutability, tag.tag);
  const checked = kind === 'foreign' || !(kind === 'own' || immutable);
  return {
    digest: tag.digest,
    mediaType: tag.mediaType,
    size: tag.size,
    validatedAt: iso(tag.validatedAt),
    freshUntil: checked ? iso(tag.validatedAt + (target.rule?.freshForMs ?? 0)) : null,
    fresh: kind === 'fresh' || !checked,
    sourceChanged: kind === 'foreign',
    immutable,
    status: tag.status,
    provenance: tag.provenance,
    historyCount: (await parts.metadata.tags.tagHistory(key, tag.tag, historyCountMax)).length,
  };
}

/** An upstream's state as the API shows it; `null` where it was never asked. */
export function explainLimiter(state: UpstreamState | undefined): ExplainedLimiter | null {
  if (state === undefined) return null;
  return {
    upstream: state.upstream,
    breaker: state.breaker,
    restsUntil: isoOrNull(state.restsUntil),
    heldUntil: isoOrNull(state.heldUntil),
    lastSuccessAt: isoOrNull(state.lastSuccessAt),
    lastFailure: state.lastFailure
      ? { at: iso(state.lastFailure.at), message: state.lastFailure.message }
      : null,
    limit: state.limit
      ? {
          limit: state.limit.limit,
          remaining: state.limit.remaining,
          windowSeconds: state.limit.windowSeconds,
          account: state.limit.account,
          resetAt: isoOrNull(state.limit.resetAt),
          observedAt: iso(state.limit.observedAt),
        }
      : null,
  };
}

interface Probed {
  readonly probe: ExplainedProbe;
  /** Set where it failed. */
  readonly no: UpstreamsNo | undefined;
}

async function probeUpstream(
  parts: ExplainParts,
  rule: PullRule,
  target: PullTarget,
  reference: Reference,
  signal: AbortSignal,
): Promise<Probed> {
  const [url] = rule.urls;
  const started = parts.clock.elapsed();
  const deadline = AbortSignal.timeout(probeMs);
  const answer = (rest: Pick<ExplainedProbe, 'ok' | 'digest' | 'mediaType' | 'failure'>) => ({
    upstream: url.host,
    durationMs: Math.round(parts.clock.elapsed() - started),
    ...rest,
  });
  try {
    const head = await findManifestHead(
      parts.upstream,
      { rule, url, repository: target.upstreamRepository },
      reference,
      AbortSignal.any([signal, deadline]),
    );
    const { digest = null, mediaType = null } = head;
    return { probe: answer({ ok: true, digest, mediaType, failure: null }), no: undefined };
  } catch (error) {
    const failure = explainFailure(error, deadline);
    if (failure === undefined) throw error;
    const { kind, message } = failure;
    const status = error instanceof UpstreamFailure ? error.status : undefined;
    return {
      probe: answer({ ok: false, digest: null, mediaType: null, failure }),
      no: {
        kind,
        message,
        at: iso(parts.clock.now()),
        ...(status === undefined ? {} : { status }),
      },
    };
  }
}

/** What an outward call failed with; `undefined` where it was not upstream's doing. */
export function explainFailure(
  error: unknown,
  deadline: AbortSignal,
): NonNullable<ExplainedProbe['failure']> | undefined {
  if (error instanceof UpstreamFailure) {
    const { kind, reason, message } = error;
    return { kind, reason, message };
  }
  if (!deadline.aborted || error !== deadline.reason) return undefined;
  return { kind: 'timeout', reason: 'totalTimeout', message: 'no answer within the deadline' };
}

function isoOrNull(at: number | undefined): string | null {
  return at === undefined ? null : iso(at);
}

/** Clamped to what a date can be, so that a damaged row cannot throw. */
function iso(at: number): string {
  const limit = 8.64e15;
  return new Date(Math.min(Math.max(at, -limit), limit)).toISOString();
}
