import type { CallStep } from '../../coordination/call-attempt.ts';
import { recordStep } from '../rows/call-record.ts';
import type { Sql } from '../sql/schema.ts';
import * as blobs from './blobs.ts';
import * as calls from './calls.ts';
import * as deletedRepositories from './deleted-repositories.ts';
import * as identities from './identities.ts';
import * as lifecycles from './lifecycles.ts';
import * as managedPolicies from './managed-policies.ts';
import * as manifests from './manifests.ts';
import * as records from './records.ts';
import * as repositories from './repositories.ts';
import * as roles from './roles.ts';
import * as rules from './rules.ts';
import * as sealed from './sealed.ts';
import * as secrets from './secrets.ts';
import * as tags from './tags.ts';
import * as templates from './templates.ts';

type Writes = typeof blobs &
  typeof calls &
  typeof deletedRepositories &
  typeof identities &
  typeof lifecycles &
  typeof managedPolicies &
  typeof manifests &
  typeof records &
  typeof repositories &
  typeof roles &
  typeof rules &
  typeof sealed &
  typeof secrets &
  typeof tags &
  typeof templates;

/**
 * Every write by its name: what may be asked of the writing side, which may be another thread. Each runs in a transaction of
 * its own or in a savepoint of a shared one, and awaits nothing but SQL.
 */
const writes: Writes = {
  ...blobs,
  ...calls,
  ...deletedRepositories,
  ...identities,
  ...lifecycles,
  ...managedPolicies,
  ...manifests,
  ...records,
  ...repositories,
  ...roles,
  ...rules,
  ...sealed,
  ...secrets,
  ...tags,
  ...templates,
};

export type WriteName = keyof Writes;
export type WriteInput<N extends WriteName> = Parameters<Writes[N]>[1];
export type WriteOutput<N extends WriteName> = Awaited<ReturnType<Writes[N]>>;

/**
 * Runs a write somewhere and answers after its commit. `step`: of a call, recorded in the same transaction; `repeated` where another attempt
 * has recorded it.
 */
export type Write = <N extends WriteName>(
  name: N,
  input: WriteInput<N>,
  step?: CallStep,
) => Promise<WriteOutput<N>>;

export interface WriteRequest {
  readonly name: WriteName;
  readonly input: unknown;
  /** Of the call on whose way it is: recorded in the same transaction. */
  readonly step?: CallStep | undefined;
}

/** Runs a write in a transaction that is open already, which has to be given up where this throws. */
export async function runWrite(
  transaction: Sql,
  { name, input, step }: WriteRequest,
): Promise<unknown> {
  const write = writes[name] as (transaction: Sql, input: unknown) => Promise<unknown>;
  const output = await write(transaction, input);
  if (step !== undefined) await recordStep(transaction, step, output);
  return output;
}
