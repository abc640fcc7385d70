import type { CallMetadata, CallRecord } from '../contract/calls.ts';
import { answerPart } from '../rows/call-record.ts';
import type { RecordedStep } from '../rows/call-record.ts';
import type { Sql } from '../sql/schema.ts';

export async function findCall(
  sql: Sql,
  call: string,
  since: number,
): ReturnType<CallMetadata['findCall']> {
  const rows = await sql
    .selectFrom('call_records')
    .select(['part', 'content'])
    .where('call', '=', call)
    .where('at', '>', since)
    .execute();
  if (rows.length === 0) return undefined;
  const steps = new Map<string, unknown>();
  let found: CallRecord['found'] = {};
  let answer: string | undefined;
  for (const { part, content } of rows) {
    if (part === answerPart) {
      answer = content;
      continue;
    }
    const recorded = JSON.parse(content) as RecordedStep;
    steps.set(part, recorded.output);
    found = { ...found, ...recorded.found };
  }
  return { steps, found, ...(answer === undefined ? {} : { answer }) };
}
