import type { ExpiryPlan, PreviewPages } from '../contract/lifecycle.ts';
import type { Sql } from '../sql/schema.ts';
import * as blobs from './blobs.ts';
import * as evaluations from './evaluations.ts';
import * as identities from './identities.ts';
import * as lifecycles from './lifecycles.ts';
import * as managedPolicies from './managed-policies.ts';
import * as manifests from './manifests.ts';
import * as ownBlobs from './own-blobs.ts';
import * as records from './records.ts';
import * as roles from './roles.ts';
import * as rules from './rules.ts';
import * as sealed from './sealed.ts';
import * as secrets from './secrets.ts';
import * as tags from './tags.ts';

type Lists = typeof blobs &
  typeof evaluations &
  typeof identities &
  typeof lifecycles &
  typeof managedPolicies &
  typeof manifests &
  typeof ownBlobs &
  typeof records &
  typeof roles &
  typeof rules &
  typeof sealed &
  typeof secrets &
  typeof tags;

/**
 * Every read of many rows by its name: what may be asked of the reader thread. Input and output are plain data. None is on the
 * way of a pull, which waits for nobody's list.
 */
const lists: Lists = {
  ...blobs,
  ...evaluations,
  ...identities,
  ...lifecycles,
  ...managedPolicies,
  ...manifests,
  ...ownBlobs,
  ...records,
  ...roles,
  ...rules,
  ...sealed,
  ...secrets,
  ...tags,
};

export type ListName = keyof Lists;

/** What looks at all that a repository holds: it may take seconds, which other lists do not wait. */
export function isEvaluation(name: ListName): boolean {
  return Object.hasOwn(evaluations, name) || Object.hasOwn(ownBlobs, name);
}

/** What of an answer is handed to the thread that asked, instead of being copied. */
export function handedOver(name: ListName, answer: unknown): ArrayBuffer[] {
  if (name === 'previewLifecycle')
    return (answer as PreviewPages).pages.map(({ results }) => results.buffer);
  if (name === 'planLifecycle') return (answer as ExpiryPlan).batches.map(({ buffer }) => buffer);
  return [];
}

/** Runs a list somewhere; `input` is what its function takes after the connection. */
export type List = (name: ListName, input: readonly unknown[]) => Promise<unknown>;

/** Runs a list on a connection. */
export function runList(sql: Sql, name: ListName, input: readonly unknown[]): Promise<unknown> {
  const list = lists[name] as (sql: Sql, ...input: readonly unknown[]) => Promise<unknown>;
  return list(sql, ...input);
}
