/** How long a client that got no answer may make its call again, ms. */
export const callsKeptMs: number = 15 * 60_000;

/** What an earlier attempt of a call has left. */
export interface CallRecord {
  /** As JSON; absent where no attempt came to an answer that was kept. */
  readonly answer?: string;
  /** What its writes answered, by their step. */
  readonly steps: ReadonlyMap<string, unknown>;
  readonly found: Readonly<Record<string, unknown>>;
}

/**
 * Calls that their clients may make again. A write on the way of an attempt (coordination/call-attempt) leaves its record in its own
 * transaction; where another attempt of the call has done it, nothing is changed and it fails with the reason `repeated`.
 */
export interface CallMetadata {
  /** `undefined`: nothing was kept of it after `since`, wall ms. */
  findCall(call: string, since: number): Promise<CallRecord | undefined>;
  /** Answers as JSON. The first one of a call stays. */
  recordAnswers(
    answers: readonly { readonly call: string; readonly answer: string; readonly at: number }[],
  ): Promise<void>;
  /** Those of before, and those of a time that has not come, in several transactions. */
  pruneCalls(input: { readonly before: number; readonly after: number }): Promise<void>;
}
