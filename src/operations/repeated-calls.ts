import { hash } from 'node:crypto';
import { createBatchWriter } from '../coordination/batch-writer.ts';
import { attempt } from '../coordination/call-attempt.ts';
import { createSteadyTime } from '../coordination/steady-time.ts';
import { callsKeptMs } from '../metadata/contract/calls.ts';
import type { CallMetadata, CallRecord } from '../metadata/contract/calls.ts';
import { MetadataError } from '../metadata/contract/metadata-error.ts';
import type { Clock } from '../ports/clock.ts';

/** What makes an attempt one of the same call. */
export interface RepeatableCall {
  readonly accessKeyId: string;
  /** Whose calls are counted together: of a role all its sessions, each of which has a key of its own. */
  readonly principal: string;
  /** As the client names its call, in every attempt alike. */
  readonly invocation: string;
  /** With the service and the region that were asked. */
  readonly operation: string;
  readonly bodySha256: Uint8Array;
}

/**
 * Calls that change something, and that clients make again when no answer came. What an attempt has done is done once, however many there
 * are and in whichever process; the answer of the first is the answer of all. What was refused before anything was written is asked anew.
 */
export interface RepeatedCalls extends AsyncDisposable {
  /** `run` makes the attempt; its answer is plain data. One at a time of a call. */
  answer<T>(call: RepeatableCall, run: () => Promise<T>): Promise<T>;
}

export interface RepeatedCallsParts {
  readonly metadata: { readonly calls: Pick<CallMetadata, 'findCall' | 'recordAnswers'> };
  readonly clock: Clock;
  /** Of one principal in `callsKeptMs`, as one process counts; what is beyond is not remembered. Absent: 20,000. */
  readonly callsMax?: number;
}

/** A longer answer is not kept: it is made anew of what its attempt has found and written. */
const answerCharactersMax = 64 * 1024;
const principalsMax = 10_000;
/** Answers that wait to be written. */
const waitingMax = 10_000;
const writtenAfterMs = 500;
const writtenAtOnce = 128;
/** Another process does a step of the call between our look and our write. */
const racesMax = 20;

interface Answered {
  readonly answer: string;
  readonly at: number;
}

export function createRepeatedCalls(parts: RepeatedCallsParts): RepeatedCalls {
  const { metadata, clock, callsMax = 20_000 } = parts;
  const steady = createSteadyTime(clock);
  const now = (): number => Math.floor(steady());
  const waiting = new Map<string, Answered>();
  const underWay = new Map<string, Promise<unknown>>();
  const counts = createCounts(clock, callsMax);
  const writer = createBatchWriter({
    clock,
    afterMs: writtenAfterMs,
    retryMs: writtenAfterMs,
    fullRows: writtenAtOnce,
    rows: () => waiting.size,
    write: async () => {
      const rows = [...waiting].slice(0, writtenAtOnce);
      try {
        await metadata.calls.recordAnswers(rows.map(([call, each]) => ({ call, ...each })));
      } finally {
        // One that could not be written is made anew of what its attempt has written.
        for (const [call] of rows) waiting.delete(call);
      }
    },
  });
  const find = async (call: string): Promise<CallRecord | undefined> => {
    const answered = waiting.get(call);
    if (answered !== undefined) return { answer: answered.answer, ...nothing };
    return await metadata.calls.findCall(call, now() - callsKeptMs);
  };
  const keep = (call: string, value: unknown, at: number): void => {
    const answer = JSON.stringify(value);
    if (answer.length > answerCharactersMax || waiting.size >= waitingMax) return;
    waiting.set(call, { answer, at });
    writer.added();
  };
  const make = async <T>(call: string, run: () => Promise<T>): Promise<T> => {
    const at = now();
    for (let race = 1; ; race += 1) {
      const known = await find(call);
      if (known?.answer !== undefined) return JSON.parse(known.answer) as T;
      try {
        const { value, wrote } = await attempt({ call, at, earlier: known ?? nothing }, run);
        keep(call, value, at);
        // Nothing else is left of a call whose deed is no write of the metadata, as a part of a layer.
        if (!wrote) await writer.flush();
        return value;
      } catch (error) {
        const isRepeated = error instanceof MetadataError && error.reason === 'repeated';
        if (!isRepeated || race === racesMax) throw error;
      }
    }
  };
  return {
    answer: (call, run) => {
      if (!counts.mayKeep(call.principal)) return run();
      const id = idOf(call);
      const before = underWay.get(id);
      const mine = before === undefined ? make(id, run) : before.then(() => make(id, run));
      const ended = mine.then(nothingMore, nothingMore);
      underWay.set(id, ended);
      void ended.then(() => {
        if (underWay.get(id) === ended) underWay.delete(id);
      });
      return mine;
    },
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

const nothingMore = (): void => {};
const nothing = { steps: new Map<string, unknown>(), found: {} };

/** Nothing of the call can be read out of it: bodies may hold secrets. */
function idOf({ accessKeyId, invocation, operation, bodySha256 }: RepeatableCall): string {
  const body = Buffer.from(bodySha256).toString('hex');
  return hash('sha256', JSON.stringify([accessKeyId, invocation, operation, body]), 'base64url');
}

/** Counts calls by who makes them, anew every `callsKeptMs`. */
function createCounts(clock: Clock, callsMax: number): { mayKeep(principal: string): boolean } {
  const counts = new Map<string, number>();
  let since = clock.elapsed();
  return {
    mayKeep(principal) {
      const elapsed = clock.elapsed();
      if (elapsed - since >= callsKeptMs) {
        counts.clear();
        since = elapsed;
      }
      const count = (counts.get(principal) ?? 0) + 1;
      if (count > callsMax || (count === 1 && counts.size >= principalsMax)) return false;
      counts.set(principal, count);
      return true;
    },
  };
}
