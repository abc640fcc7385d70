import { noRuleText } from '../../domain/rules/no-rule.ts';
import type { UpstreamFailure } from '../../domain/upstream-failure.ts';
import { failure } from '../../domain/upstream-failure.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { Upstream } from '../../ports/upstream.ts';
import type { UpstreamSources } from '../download/upstream-sources.ts';
import type { HeadHints } from '../memory/head-hints.ts';
import type { LastTries, Refusals } from '../memory/refusals.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { isRuled } from '../pull-request.ts';
import type { ListTurns } from './list-turns.ts';
import type { RepairedBlobs } from './stored-blob.ts';

/** What all pulls share. */
export interface PullParts {
  readonly upstream: Upstream;
  readonly metadata: Metadata;
  readonly blobs: RepairedBlobs;
  readonly repositories: RepositoryMemory;
  readonly sources: UpstreamSources;
  readonly heads: HeadHints;
  readonly refusals: Refusals;
  readonly tries: LastTries;
  readonly turns: ListTurns;
  readonly clock: Clock;
  readonly events: Events;
  /** Ends with the server: a fetch belongs to the cache, not to a request. */
  readonly signal: AbortSignal;
}

/** Writes to metadata. That it failed never fails a pull: memory has what was to be written, and an event says so. */
export async function tryWrite(
  { events }: Pick<PullParts, 'events'>,
  operation: string,
  write: () => Promise<unknown>,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    events.emit({ type: 'storageFailed', operation, message: String(error) });
  }
}

/** The failure of an upstream that did not answer in the time that the rule gives it where something else can be served. */
export function tooSlow({ target }: RuledRequest): UpstreamFailure {
  return failure(
    'upstream did not answer within staleBudget',
    'timeout',
    'totalTimeout',
    target.rule.urls[0].host,
  );
}

/** Why upstream is not asked for what is not here. */
export function whyNotAsked(request: PullRequest): string {
  return isRuled(request) ? 'nothing new may be fetched' : noRuleText(request.target.repository);
}
