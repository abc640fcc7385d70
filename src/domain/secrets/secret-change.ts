import type { ErrorKind } from '../errors.ts';
import type { LabelChange } from '../names/label.ts';
import { withLabels } from '../names/label.ts';
import type { Secret, SecretVersion } from './secret.ts';
import { currentStage, previousStage, versionOfStage } from './secret.ts';

/** What is asked of a secret that is there. `version` is the id of a new one. */
export type SecretChange =
  | { readonly kind: 'put'; readonly version: string; readonly stages: readonly string[] }
  | {
      readonly kind: 'update';
      readonly description?: string | undefined;
      readonly kmsKey?: string | undefined;
      readonly type?: string | undefined;
      readonly version?: string | undefined;
    }
  | {
      readonly kind: 'moveStage';
      readonly stage: string;
      readonly from?: string | undefined;
      readonly to?: string | undefined;
    }
  | { readonly kind: 'delete'; readonly at: number }
  | { readonly kind: 'restore' }
  | ({ readonly kind: 'tags' } & LabelChange)
  | { readonly kind: 'policy'; readonly text: string | undefined }
  | { readonly kind: 'read'; readonly version: string };

/** Why a change is not made, in Secrets Manager's words. */
export interface SecretProblem {
  readonly kind: Extract<
    ErrorKind,
    | 'secretUnknown'
    | 'secretVersionExists'
    | 'secretRequestInvalid'
    | 'secretStageInvalid'
    | 'secretLimit'
  >;
  readonly message: string;
}

export type ChangedSecret =
  | { readonly secret: Secret; readonly problem?: undefined }
  | { readonly secret?: undefined; readonly problem: SecretProblem };

/** Quotas of Secrets Manager. */
const versionsMax = 100;
const stagesMax = 20;
export const secretTagsMax = 50;

const dayMs = 86_400_000;

export const markedForDeletion: SecretProblem = {
  kind: 'secretRequestInvalid',
  message: "You can't perform this operation on the secret because it was marked for deletion.",
};

/** The secret as it is after a change; `now` in wall ms. */
export function changeSecret(secret: Secret, change: SecretChange, now: number): ChangedSecret {
  if (change.kind === 'restore') {
    const { deletion, ...kept } = secret;
    return { secret: deletion === undefined ? secret : { ...kept, changedAt: now } };
  }
  if (secret.deletion !== undefined) return { problem: markedForDeletion };
  switch (change.kind) {
    case 'put':
      return putVersion(secret, change.version, change.stages, now);
    case 'update':
      return update(secret, change, now);
    case 'moveStage':
      return moveStage(secret, change, now);
    case 'delete':
      return { secret: { ...secret, deletion: { askedAt: now, at: change.at } } };
    case 'tags':
      return changeTags(secret, change, now);
    case 'policy': {
      const { policy: _before, ...bare } = secret;
      const policy = change.text === undefined ? {} : { policy: change.text };
      return { secret: { ...bare, ...policy, changedAt: now } };
    }
    case 'read':
      return { secret: readOn(secret, change.version, dayOf(now)) };
  }
}

/** The day, UTC, as far as times of reading are kept. */
export function dayOf(now: number): number {
  return now - (now % dayMs);
}

function readOn(secret: Secret, version: string, day: number): Secret {
  const versions = secret.versions.map((each) =>
    each.id === version ? { ...each, accessedAt: day } : each,
  );
  return { ...secret, accessedAt: day, versions };
}

/** The first version is the current one, whatever else it is called. */
function putVersion(
  secret: Secret,
  id: string,
  stages: readonly string[],
  now: number,
): ChangedSecret {
  if (secret.versions.some((each) => each.id === id))
    return {
      problem: {
        kind: 'secretVersionExists',
        message: `You can't use ClientRequestToken ${id} because that value is already in use for a version of the secret ${secret.name}.`,
      },
    };
  const wanted = secret.versions.length === 0 ? [currentStage, ...stages] : stages;
  const named = [...new Set(wanted)];
  const versions = withStages([...secret.versions, { id, stages: [], createdAt: now }], id, named);
  if (versions.some((each) => each.stages.length > stagesMax))
    return limit(`A version of a secret can have at most ${stagesMax} staging labels.`);
  const kept = withoutOldest(versions);
  if (kept.length > versionsMax)
    return limit(`A secret can have at most ${versionsMax} versions with staging labels.`);
  return { secret: { ...secret, versions: kept, changedAt: now } };
}

function limit(message: string): ChangedSecret {
  return { problem: { kind: 'secretLimit', message } };
}

/** Deprecated versions go, the oldest first, as far as there are too many. */
function withoutOldest(versions: readonly SecretVersion[]): readonly SecretVersion[] {
  let tooMany = versions.length - versionsMax;
  if (tooMany <= 0) return versions;
  return versions.filter(({ stages }) => stages.length > 0 || (tooMany -= 1) < 0);
}

/** Moves labels to a version; what was current until then is the previous one. */
function withStages(
  versions: readonly SecretVersion[],
  id: string,
  stages: readonly string[],
): readonly SecretVersion[] {
  const before = versionOfStage({ versions }, currentStage);
  const moved = moveTo(versions, id, stages);
  if (before === undefined || before.id === id || !stages.includes(currentStage)) return moved;
  return moveTo(moved, before.id, [previousStage]);
}

function moveTo(
  versions: readonly SecretVersion[],
  id: string | undefined,
  stages: readonly string[],
): readonly SecretVersion[] {
  return versions.map((each) => {
    const others = each.stages.filter((stage) => !stages.includes(stage));
    if (each.id === id) return { ...each, stages: [...others, ...stages] };
    return others.length === each.stages.length ? each : { ...each, stages: others };
  });
}

function update(
  secret: Secret,
  change: Extract<SecretChange, { kind: 'update' }>,
  now: number,
): ChangedSecret {
  const { description, kmsKey, type, version } = change;
  const described: Secret = {
    ...secret,
    ...(description === undefined ? {} : { description }),
    ...(kmsKey === undefined ? {} : { kmsKey }),
    ...(type === undefined ? {} : { type }),
    changedAt: now,
  };
  if (version === undefined) return { secret: described };
  return putVersion(described, version, [currentStage], now);
}

function moveStage(
  secret: Secret,
  { stage, from, to }: Extract<SecretChange, { kind: 'moveStage' }>,
  now: number,
): ChangedSecret {
  const { versions } = secret;
  for (const id of [from, to])
    if (id !== undefined && !versions.some((each) => each.id === id))
      return {
        problem: {
          kind: 'secretUnknown',
          message: `Secrets Manager can't find the specified secret value for VersionId: ${id}`,
        },
      };
  const holder = versionOfStage(secret, stage);
  const wrong = wrongMove(stage, holder?.id, from, to);
  if (wrong !== undefined) return { problem: { kind: 'secretStageInvalid', message: wrong } };
  if (to === undefined) {
    const stripped = moveTo(versions, undefined, [stage]);
    return { secret: { ...secret, versions: stripped, changedAt: now } };
  }
  const moved = withStages(versions, to, [stage]);
  if (moved.some((each) => each.stages.length > stagesMax))
    return limit(`A version of a secret can have at most ${stagesMax} staging labels.`);
  return { secret: { ...secret, versions: moved, changedAt: now } };
}

/** `undefined`: the label may be moved so. */
function wrongMove(
  stage: string,
  holder: string | undefined,
  from: string | undefined,
  to: string | undefined,
): string | undefined {
  if (from === undefined && to === undefined)
    return 'You must specify MoveToVersionId, RemoveFromVersionId, or both.';
  if (to === undefined && stage === currentStage)
    return `You can only move staging label ${currentStage} to a different secret version. It can't be completely removed.`;
  if (from !== undefined && from !== holder)
    return `The staging label ${stage} isn't attached to the version ${from}, which RemoveFromVersionId names.`;
  if (from === undefined && holder !== undefined && holder !== to)
    return `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder}, so you must explicitly reference that version in RemoveFromVersionId.`;
  return undefined;
}

function changeTags(secret: Secret, change: LabelChange, now: number): ChangedSecret {
  const tags = withLabels(secret.tags, change);
  if (tags.length > secretTagsMax) return limit(`A secret can have at most ${secretTagsMax} tags.`);
  return { secret: { ...secret, tags, changedAt: now } };
}
