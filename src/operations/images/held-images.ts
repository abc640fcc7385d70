import type { Asker } from '../../access/access.ts';
import type { Admission, Place } from '../../access/admission/admission.ts';
import type { CountRecords } from '../../cache/whose-bytes.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { formatReference } from '../../domain/names/reference.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import { isAdmitted, notAdmitted } from '../../domain/rules/name-pattern.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Counting } from '../../metadata/contract/rows.ts';

export interface HeldImagesParts {
  readonly admission: Pick<Admission, 'isOperator'>;
  /** The cache's own: which records a pull would be served from. */
  readonly counting: CountRecords;
}

/** What of a repository an asker is shown; `undefined`: all of it. Throws `denied` where the rule's patterns do not admit it. */
export async function countingFor(
  { admission, counting }: HeldImagesParts,
  asker: Asker,
  place: Place,
  reference?: Reference,
): Promise<Counting | undefined> {
  if (admission.isOperator(asker.caller)) return undefined;
  if (isAdmitted(place.target, reference)) return counting(place);
  throw notAdmitted(place.target);
}

/** Throws `nameUnknown` where there is no such repository. */
export async function keyOfRepository(
  { repositories }: Pick<Metadata, 'repositories'>,
  { registry, target: { repository } }: Place,
): Promise<RepositoryKey> {
  const key = { registry, repository };
  if ((await repositories.findRepository(key)) !== undefined) return key;
  throw repositoryUnknown(repository);
}

/** The error for an image that is not held. */
export function imageUnknown(repository: string, reference: Reference): RegistryError {
  return new RegistryError(
    'manifestUnknown',
    `${repository} holds no ${formatReference(reference)}`,
    { detail: { name: repository } },
  );
}
