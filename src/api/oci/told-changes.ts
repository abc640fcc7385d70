import type { Asker, Audit, Caller } from '../../access/access.ts';
import { changeOf, denialOf } from '../../access/audit/audit-entry.ts';
import { requestFrom } from '../../access/identify/request-from.ts';
import type { MadeRepositories } from '../../cache/memory/made-repositories.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import type { RepositoryPlan } from './plan.ts';

/** One request as the audit knows it. */
export interface Asked {
  readonly plan: Pick<RepositoryPlan, 'registry' | 'target'>;
  readonly caller: Caller;
  readonly request: Incoming;
}

/** What a push or a deletion did. */
export interface Change {
  readonly reply: Reply;
  /** Absent: nothing has changed yet. */
  readonly digest?: Digest;
  readonly tags?: readonly Tag[];
  /** Where it was mounted from. */
  readonly from?: RepositoryName;
}

/** Tells the audit of what was changed here and what a rule refused; the decisions on rights tell it themselves. */
export interface ToldChanges {
  changed(asked: Asked, action: Action, change: Change): void;
  /** A refusal that no policy decided: by a rule's settings, of another site's page. Any other error is passed over. */
  refused(asked: Asked, action: string, error: unknown): void;
  /** Tells of the repository where it was made since the moment, monotonic ms, once however many requests made it together. */
  made(asked: Asked, since: number, by: 'push' | 'pull'): void;
}

export interface ToldChangesParts {
  readonly audit: Audit;
  readonly made: Pick<MadeRepositories, 'take'>;
}

const tagsCharactersMax = 2048;

export function createToldChanges({ audit, made }: ToldChangesParts): ToldChanges {
  return {
    changed: (asked, action, { digest, tags = [], from }) => {
      if (digest === undefined) return;
      const list = tags.length === 0 ? {} : { tags: tags.join(' ').slice(0, tagsCharactersMax) };
      const detail = { digest, ...list, ...(from === undefined ? {} : { mountedFrom: from }) };
      audit.record(changeOf(askerOf(asked), action, subjectOf(asked), detail));
    },
    refused: (asked, action, error) => {
      if (!(error instanceof RegistryError) || error.code !== 'denied') return;
      const because = error.detail?.['because'];
      const why = typeof because === 'string' ? because : error.message;
      audit.record(denialOf(askerOf(asked), action, subjectOf(asked), why));
    },
    made: (asked, since, by) => {
      const { registry, target } = asked.plan;
      if (!made.take({ registry, repository: target.repository }, since)) return;
      audit.record(changeOf(askerOf(asked), actions.createRepository, subjectOf(asked), { by }));
    },
  };
}

function askerOf({ caller, request }: Asked): Asker {
  return { caller, from: requestFrom(request) };
}

function subjectOf({ plan }: Asked): { readonly registry: RegistryKey; readonly resource: string } {
  return { registry: plan.registry, resource: plan.target.repository };
}
