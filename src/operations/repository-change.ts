import type { Asker, Audit, AuditEntry } from '../access/access.ts';
import type { Admission, Place } from '../access/admission/admission.ts';
import { AccessRefused } from '../access/admission/admission.ts';
import { changeOf, denialOf } from '../access/audit/audit-entry.ts';
import type { MadeRepositories } from '../cache/memory/made-repositories.ts';
import { RegistryError } from '../domain/errors.ts';
import type { Reference } from '../domain/names/reference.ts';
import { actions } from '../domain/policy/access-action.ts';
import type { Action } from '../domain/policy/access-action.ts';
import { isAdmitted, notAdmitted } from '../domain/rules/name-pattern.ts';
import type { Clock } from '../ports/clock.ts';

export interface ChangeParts {
  readonly admission: Admission;
  readonly audit: Audit;
  readonly made: Pick<MadeRepositories, 'take'>;
  readonly clock: Clock;
}

/** One change of a repository or of what it holds. */
export interface Change<Done> {
  /** The actions that must all be allowed, or how it is asked for otherwise. */
  readonly right: readonly Action[] | (() => Promise<void>);
  /** A push: makes the repository where it is missing, which needs the right to; the rule's patterns hold for it. */
  readonly push?: {
    /** The tags and digests that it is pushed under; none for a blob. */
    readonly references: readonly Reference[];
  };
  /** Under which the audit records it, and a refusal by a rule's settings. */
  readonly action: Action;
  readonly apply: () => Promise<Done>;
  /** `undefined`: nothing has changed yet. */
  readonly audited: (done: Done) => AuditedChange | undefined;
}

export interface AuditedChange {
  /** Absent: the change's. */
  readonly action?: Action;
  readonly detail: AuditEntry['detail'];
}

/**
 * Right, change, invalidation, audit, in this order: `apply` notes what it changed (ports/invalidations) after its commit, also where it
 * failed half-way. What a rule's settings refuse is a denial in the audit too.
 */
export async function changeRepository<Done>(
  parts: ChangeParts,
  asker: Asker,
  place: Place,
  change: Change<Done>,
): Promise<Done> {
  const { admission, audit, clock } = parts;
  const { push, action, right } = change;
  const since = clock.elapsed();
  if (typeof right === 'function') await right();
  else await admission.require(asker, place, right, push !== undefined);
  const done = await recordingRefusal(audit, asker, place, action, async () => {
    if (push !== undefined) requireAdmitted(place, push.references);
    return await change.apply();
  });
  const audited = change.audited(done);
  if (audited === undefined) return done;
  if (push !== undefined) recordMade(parts, asker, place, since, 'push');
  audit.record(changeOf(asker, audited.action ?? action, subjectOf(place), audited.detail));
  return done;
}

/** Records what a rule's settings refuse, which no policy decided. */
export async function recordingRefusal<T>(
  audit: Audit,
  asker: Asker,
  place: Place,
  action: Action,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    recordRefusal(audit, asker, place, action, error);
    throw error;
  }
}

/** The same of an error that was caught; errors other than a rule's refusal are passed over. */
export function recordRefusal(
  audit: Audit,
  asker: Asker,
  place: Place,
  action: Action,
  error: unknown,
): void {
  if (!(error instanceof RegistryError) || error.code !== 'denied') return;
  if (error instanceof AccessRefused) return;
  audit.record(denialOf(asker, action, subjectOf(place), error.message));
}

/** Throws `denied` where the rule's patterns do not admit one of the references; of a blob, without any, its repository. */
export function requireAdmitted({ target }: Place, references: readonly Reference[]): void {
  const all = references.length === 0 ? [undefined] : references;
  if (!all.every((each) => isAdmitted(target, each))) throw notAdmitted(target);
}

/** Records that the repository was made, where it was since that moment, monotonic ms; once, however many requests made it together. */
export function recordMade(
  { made, audit }: Pick<ChangeParts, 'made' | 'audit'>,
  asker: Asker,
  place: Place,
  since: number,
  by: 'push' | 'pull',
): void {
  const { registry, target } = place;
  if (!made.take({ registry, repository: target.repository }, since)) return;
  audit.record(changeOf(asker, actions.createRepository, subjectOf(place), { by }));
}

function subjectOf({ registry, target }: Place): {
  readonly registry: Place['registry'];
  readonly resource: string;
} {
  return { registry, resource: target.repository };
}
