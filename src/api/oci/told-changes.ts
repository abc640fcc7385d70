import { LRUCache } from 'lru-cache';
import { atMost } from '../../domain/entry-limit.ts';
import type { Audit, AuditEntry, Caller } from '../../access/access.ts';
import { actions } from '../../domain/access-action.ts';
import type { Action } from '../../domain/access-action.ts';
import type { Digest } from '../../domain/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/principal.ts';
import type { RepositoryName } from '../../domain/repository-name.ts';
import type { Tag } from '../../domain/tag.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import type { Metadata } from '../../metadata/metadata.ts';
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
  /**
   * Tells of the repository where it was made since the moment, wall time in ms, once however many requests made it together.
   * Never throws.
   */
  made(asked: Asked, since: number, by: 'push' | 'pull'): Promise<void>;
}

export interface ToldChangesParts {
  readonly audit: Audit;
  readonly metadata: Pick<Metadata, 'findRepository'>;
  readonly failed: (error: unknown, requestId: string) => void;
}

const toldMax = 10_000;
const tagsCharactersMax = 2048;

export function createToldChanges({ audit, metadata, failed }: ToldChangesParts): ToldChanges {
  /** When a repository that was told of was made. */
  const told = new LRUCache<string, number>(atMost(toldMax));

  return {
    changed: (asked, action, { digest, tags = [], from }) => {
      if (digest === undefined) return;
      const list = tags.length === 0 ? {} : { tags: tags.join(' ').slice(0, tagsCharactersMax) };
      const detail = { digest, ...list, ...(from === undefined ? {} : { mountedFrom: from }) };
      audit.record(entryOf(asked, action, { kind: 'change', outcome: 'allowed', detail }));
    },
    refused: (asked, action, error) => {
      if (!(error instanceof RegistryError) || error.code !== 'denied') return;
      const because = error.detail?.['because'];
      const detail = { because: typeof because === 'string' ? because : error.message };
      audit.record(entryOf(asked, action, { kind: 'denial', outcome: 'denied', detail }));
    },
    made: async (asked, since, by) => {
      const { registry, target } = asked.plan;
      try {
        const key = { registry, repository: target.repository };
        const row = await metadata.findRepository(key);
        if (row === undefined || row.createdAt < since) return;
        const name = `${registry} ${target.repository}`;
        if (told.get(name) === row.createdAt) return;
        told.set(name, row.createdAt);
        const what = { kind: 'change', outcome: 'allowed', detail: { by } } as const;
        audit.record(entryOf(asked, actions.createRepository, what));
      } catch (error) {
        failed(error, asked.request.id);
      }
    },
  };
}

function entryOf(
  { plan, caller, request }: Asked,
  action: string,
  what: Pick<AuditEntry, 'kind' | 'outcome' | 'detail'>,
): AuditEntry {
  return {
    ...what,
    principal: describePrincipal(caller.principal),
    action,
    resource: plan.target.repository,
    registry: plan.registry,
    address: request.clientAddress,
    requestId: request.id,
  };
}
