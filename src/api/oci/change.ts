import type { Caller } from '../../access/access.ts';
import type { PolicyAuthorizer } from '../../access/authorize/authorizer.ts';
import type { Pushes } from '../../cache/push/pushes.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Gate } from './gate.ts';
import type { RepositoryPlan } from './plan.ts';
import { deletedReply, deleteManifest, pushManifest } from './push-manifest.ts';
import { requireAllowed } from './target.ts';
import type { Change, ToldChanges } from './told-changes.ts';
import {
  appendUpload,
  cancelUpload,
  finishUpload,
  isWholeBlob,
  pushBlob,
  startUpload,
  uploadStatus,
} from './uploads.ts';
import type { StartPlan, UploadPlan } from './uploads.ts';

export interface ChangeParts {
  readonly pushes: Pushes;
  readonly gate: Gate;
  readonly told: ToldChanges;
  readonly authorizer: Pick<PolicyAuthorizer, 'forget'>;
  readonly clock: Clock;
}

/** A request that changes something, with what every step of it needs. */
interface Work extends ChangeParts {
  readonly plan: RepositoryPlan;
  readonly caller: Caller;
  readonly request: Incoming;
  /** When it began, monotonic ms. */
  readonly since: number;
}

const wholeBlobActions: readonly Action[] = [
  actions.startUpload,
  actions.appendUpload,
  actions.finishUpload,
];

/** Pushes and deletions, after the rights for them (docs/access.md, "Actions and resources"). What was changed, or refused by a rule, is told to the audit. */
export async function changeContent(
  parts: ChangeParts,
  plan: RepositoryPlan,
  caller: Caller,
  request: Incoming,
): Promise<Reply> {
  const { pushes } = parts;
  const { route, registry, target } = plan;
  const work: Work = { ...parts, plan, caller, request, since: parts.clock.elapsed() };
  switch (route.kind) {
    case 'uploads':
      return beginUpload(work, { ...plan, route });
    case 'upload':
      return changeUpload(work, { ...plan, route });
    case 'manifest': {
      const own = { ...plan, route };
      if (request.method === 'PUT') {
        await admit(work, [actions.putManifest], true);
        const mayImport = () => parts.gate.mayImport(plan, caller, request);
        return pushed(work, actions.putManifest, () =>
          pushManifest(pushes, own, request, mayImport),
        );
      }
      await admit(work, [actions.delete], false);
      return deleted(work, () => deleteManifest(pushes, own));
    }
    case 'blob':
      await admit(work, [actions.delete], false);
      return deleted(work, async () => {
        await pushes.deleteBlob({ registry, target, digest: route.digest });
        return { reply: deletedReply(plan.note, route.digest), digest: route.digest };
      });
    case 'tags':
    case 'referrers':
      throw new RegistryError('unsupported', 'lists are read alone');
  }
}

/** POST: a whole blob needs the rights of all that it does at once; an upload begins by its own. */
async function beginUpload(work: Work, plan: StartPlan): Promise<Reply> {
  const { pushes, gate, caller, request } = work;
  if (isWholeBlob(plan.route, request)) {
    await admit(work, wholeBlobActions, true);
    return pushed(work, actions.finishUpload, () => pushBlob(pushes, plan, caller, request));
  }
  await admit(work, [actions.startUpload], true);
  return pushed(work, actions.startUpload, async () => {
    await pushes.requirePush(plan);
    const mounts = {
      allowed: () => gate.mayDo(plan, caller, request, wholeBlobActions),
      mayMount: (source: Parameters<Gate['mayMount']>[0]) => gate.mayMount(source, caller, request),
    };
    return startUpload(pushes, plan, caller, mounts);
  });
}

async function changeUpload(work: Work, plan: UploadPlan): Promise<Reply> {
  const { pushes, request } = work;
  switch (request.method) {
    case 'PATCH':
      await admit(work, [actions.appendUpload], false);
      return refusing(work, actions.appendUpload, async () => {
        requireAllowed(plan.route, plan.target);
        return appendUpload(pushes, plan, request);
      });
    case 'PUT': {
      await admit(work, [actions.appendUpload, actions.finishUpload], true);
      return pushed(work, actions.finishUpload, () => finishUpload(pushes, plan, request));
    }
    case 'DELETE':
      await admit(work, [actions.appendUpload], false);
      return refusing(work, actions.appendUpload, () => cancelUpload(pushes, plan));
    default:
      await admit(work, [actions.appendUpload], false);
      return refusing(work, actions.appendUpload, () => uploadStatus(pushes, plan));
  }
}

/** `makes`: the change may make the repository. */
function admit(
  { gate, plan, caller, request }: Work,
  wanted: readonly Action[],
  makes: boolean,
): Promise<void> {
  return gate.admit(plan, caller, request, { actions: wanted, makes });
}

/** A push whose rights are settled. Nobody is answered by what was known of the repository before its commit. */
async function pushed(work: Work, action: Action, push: () => Promise<Change>): Promise<Reply> {
  const { plan, told } = work;
  const change = await refusing(work, action, async () => {
    requireAllowed(plan.route, plan.target);
    try {
      return await push();
    } finally {
      work.authorizer.forget(plan.registry, plan.target.repository);
    }
  });
  if (change.digest !== undefined) told.made(work, work.since, 'push');
  // A mount completes what it begins.
  told.changed(work, change.from === undefined ? action : actions.finishUpload, change);
  return change.reply;
}

async function deleted(work: Work, deletion: () => Promise<Change>): Promise<Reply> {
  const change = await refusing(work, actions.delete, deletion);
  work.told.changed(work, actions.delete, change);
  return change.reply;
}

async function refusing<T>(work: Work, action: Action, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    work.told.refused(work, action, error);
    throw error;
  }
}
