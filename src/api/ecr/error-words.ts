import type { RegistryError } from '../../domain/errors.ts';
import type { FailedCall } from '../aws/service-table.ts';

/** What ECR's texts name: the repository and the registry that were asked. */
export interface Place {
  readonly repository: string;
  readonly registry: string;
}

/** `members`: what the error's shape has beside its message. */
export type Said = readonly [
  code: string,
  message: string,
  members?: Readonly<Record<string, unknown>>,
];

/** What an error is to ECR's clients; a name alone: its message is the registry's own. */
export type Words =
  | string
  | ((place: Place, error: RegistryError, input: FailedCall['input']) => Said);

export function inRegistry({ registry }: Pick<Place, 'registry'>): string {
  return `in the registry with id '${registry}'`;
}

export function inRepository(place: Place): string {
  return `in the repository with name '${place.repository}' ${inRegistry(place)}`;
}

/** ECR's text for a parameter that is not as it must be. */
export function invalid(parameter: string, why: string): string {
  return `Invalid parameter at '${parameter}' failed to satisfy constraint: '${why}'`;
}
