import type { CallStep } from '../../coordination/call-attempt.ts';
import { MetadataError } from '../contract/metadata-error.ts';
import { callsKeptMs } from '../contract/calls.ts';
import type { Schema, Sql } from '../sql/schema.ts';

/** The part of a call that is its answer: no step has a name like it. */
export const answerPart = 'answer';

/** As it is kept. */
export interface RecordedStep {
  readonly found: CallStep['found'];
  /** Absent: the write answers nothing. */
  readonly output?: unknown;
}

/** Keeps those that are not there, or too old to count; answers these. */
export async function keepCalls(
  sql: Sql,
  rows: readonly Schema['call_records'][],
): Promise<readonly { readonly call: string }[]> {
  return await sql
    .insertInto('call_records')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['call', 'part'])
        .doUpdateSet((eb) => ({ at: eb.ref('excluded.at'), content: eb.ref('excluded.content') }))
        .where((eb) => eb('call_records.at', '<=', eb('excluded.at', '-', callsKeptMs))),
    )
    .returning('call')
    .execute();
}

/**
 * Records a step that was done in this transaction. Throws `repeated` where another attempt has recorded it: the transaction has to be
 * given up then.
 */
export async function recordStep(
  sql: Sql,
  { call, step, at, found }: CallStep,
  output: unknown,
): Promise<void> {
  const content = JSON.stringify({ found, output } satisfies RecordedStep);
  const [row] = await keepCalls(sql, [{ call, part: step, at, content }]);
  if (row === undefined)
    throw new MetadataError('repeated', `${step}: another attempt of the call did it`);
}
