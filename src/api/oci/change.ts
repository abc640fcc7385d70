import type { Audit, Caller } from '../../access/access.ts';
import type { Pushes } from '../../cache/pushes.ts';
import { actions } from '../../domain/access-action.ts';
import type { Action } from '../../domain/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/principal.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import type { Gate } from './gate.ts';
import type { RepositoryPlan } from './plan.ts';
import { deletedReply, deleteManifest, pushManifest } from './push-manifest.ts';
import type { ManifestChange } from './push-manifest.ts';
import { requireAllowed } from './target.ts';
import { appendUpload, cancelUpload, finishUpload, startUpload, uploadStatus } from './uploads.ts';

export interface ChangeParts {
  readonly pushes: Pushes;
  readonly audit: Audit;
}

/** Pushes and deletions, after the rights for them (design.md §6, "Actions"). What was changed is told to the audit. */
export async function changeContent(
  parts: ChangeParts,
  gate: Gate,
  plan: RepositoryPlan,
  caller: Caller,
  request: Incoming,
): Promise<Reply> {
  const { pushes } = parts;
  const { route } = plan;
  const admit = (wanted: readonly Action[], makes: boolean): Promise<void> =>
    gate.admit(plan, caller, request, { actions: wanted, makes });
  const told = (action: Action, change: ManifestChange): Reply => {
    record(parts.audit, { action, plan, caller, request }, change);
    return change.reply;
  };
  switch (route.kind) {
    case 'uploads':
      await admit([actions.startUpload], true);
      requireAllowed(route, plan.target);
      await pushes.requirePush(plan);
      return startUpload(pushes, gate, { ...plan, route }, caller, request);
    case 'upload':
      return changeUpload(pushes, admit, { ...plan, route }, request);
    case 'manifest': {
      const own = { ...plan, route };
      if (request.method === 'PUT') {
        await admit([actions.putManifest], true);
        requireAllowed(route, plan.target);
        return told(actions.putManifest, await pushManifest(pushes, own, request));
      }
      await admit([actions.delete], false);
      return told(actions.delete, await deleteManifest(pushes, own));
    }
    case 'blob': {
      await admit([actions.delete], false);
      const { registry, target, note } = plan;
      await pushes.deleteBlob({ registry, target, digest: route.digest });
      const reply = deletedReply(note, route.digest);
      return told(actions.delete, { reply, digest: route.digest, tags: [] });
    }
    case 'tags':
    case 'referrers':
      throw new RegistryError('unsupported', 'lists are read alone');
  }
}

async function changeUpload(
  pushes: Pushes,
  admit: (wanted: readonly Action[], makes: boolean) => Promise<void>,
  plan: Parameters<typeof appendUpload>[1],
  request: Incoming,
): Promise<Reply> {
  switch (request.method) {
    case 'PATCH':
      await admit([actions.appendUpload], false);
      return appendUpload(pushes, plan, request);
    case 'PUT':
      await admit([actions.appendUpload, actions.finishUpload], false);
      return finishUpload(pushes, plan, request);
    case 'DELETE':
      await admit([actions.appendUpload], false);
      return cancelUpload(pushes, plan);
    default:
      await admit([actions.appendUpload], false);
      return uploadStatus(pushes, plan);
  }
}

function record(
  audit: Audit,
  what: {
    readonly action: Action;
    readonly plan: RepositoryPlan;
    readonly caller: Caller;
    readonly request: Incoming;
  },
  { digest, tags }: ManifestChange,
): void {
  const { action, plan, caller, request } = what;
  audit.record({
    kind: 'change',
    principal: describePrincipal(caller.principal),
    action,
    resource: plan.target.repository,
    registry: plan.registry,
    outcome: 'allowed',
    address: request.clientAddress,
    requestId: request.id,
    detail: { digest, ...(tags.length === 0 ? {} : { tags: tags.join(' ').slice(0, 2048) }) },
  });
}
