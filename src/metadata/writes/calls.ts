import type { CallMetadata } from '../contract/calls.ts';
import { answerPart, keepCalls } from '../rows/call-record.ts';
import { batches } from '../sql/batches.ts';
import type { Sql } from '../sql/schema.ts';

const prunedAtOnce = 500;

export async function recordAnswers(
  sql: Sql,
  answers: Parameters<CallMetadata['recordAnswers']>[0],
): Promise<void> {
  for (const some of batches(answers))
    await keepCalls(
      sql,
      some.map(({ call, answer, at }) => ({ call, part: answerPart, at, content: answer })),
    );
}

/** Some of them; false where there was none. */
export async function pruneSomeCalls(
  sql: Sql,
  { before, after }: Parameters<CallMetadata['pruneCalls']>[0],
): Promise<boolean> {
  const old = await sql
    .selectFrom('call_records')
    .select(['call', 'part'])
    .where('at', '<', before)
    .limit(prunedAtOnce)
    .execute();
  const early = await sql
    .selectFrom('call_records')
    .select(['call', 'part'])
    .where('at', '>', after)
    .limit(prunedAtOnce)
    .execute();
  const rows = [...old, ...early];
  for (const { call, part } of rows)
    await sql
      .deleteFrom('call_records')
      .where('call', '=', call)
      .where('part', '=', part)
      .execute();
  return rows.length > 0;
}
