import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../ports/clock.ts';

/** What is known of a call, of which this is an attempt, by those that were made before. Plain data: it is kept as JSON. */
export interface EarlierAttempts {
  /** What the writes of an earlier attempt answered, by their step. */
  readonly steps: ReadonlyMap<string, unknown>;
  /** What `once` found in it. */
  readonly found: Readonly<Record<string, unknown>>;
}

/** One write of an attempt, which no other attempt of its call does again. Plain data. */
export interface CallStep {
  readonly call: string;
  /** The write's name, and which one of that name it is. */
  readonly step: string;
  readonly at: number;
  /** All that `once` has found before it. */
  readonly found: Readonly<Record<string, unknown>>;
}

interface Attempt {
  readonly call: string;
  readonly at: number;
  readonly earlier: EarlierAttempts;
  readonly found: Record<string, unknown>;
  /** How many writes of a name there were. */
  readonly counts: Map<string, number>;
  ended: boolean;
}

const attempts = new AsyncLocalStorage<Attempt>();

/**
 * Runs an attempt of a call that may be made again. Until it ends, writes of the metadata on its way are steps of the call. `at`: wall ms,
 * for what is kept of it. `wrote`: there was such a step.
 */
export async function attempt<T>(
  { call, at, earlier }: Pick<Attempt, 'call' | 'at' | 'earlier'>,
  run: () => Promise<T>,
): Promise<{ readonly value: T; readonly wrote: boolean }> {
  const found = { ...earlier.found };
  const mine: Attempt = { call, at, earlier, found, counts: new Map(), ended: false };
  try {
    const value = await attempts.run(mine, run);
    return { value, wrote: mine.counts.size > 0 };
  } finally {
    mine.ended = true;
  }
}

/**
 * What every attempt of a call has to find alike, though the call's own write changes or needs it: what is deleted, a time, a random name.
 * Kept with the next write; JSON. Outside of a call that may be made again it is `find()`. A name is used once in an operation.
 */
export function once<T>(name: string, find: () => T): T {
  const mine = current();
  if (mine === undefined) return find();
  if (Object.hasOwn(mine.found, name)) return mine.found[name] as T;
  const value = find();
  mine.found[name] = value;
  return value;
}

/** A clock whose wall time is one moment for all attempts of a call. */
export function clockOfCalls(clock: Clock): Clock {
  return {
    now: () => once('now', () => clock.now()),
    elapsed: () => clock.elapsed(),
    after: (ms, callback) => clock.after(ms, callback),
  };
}

/** The same of what is waited for. */
export async function onceRead<T>(name: string, find: () => Promise<T>): Promise<T> {
  const mine = current();
  if (mine === undefined) return await find();
  if (Object.hasOwn(mine.found, name)) return mine.found[name] as T;
  const value = await find();
  mine.found[name] = value;
  return value;
}

/** Whether an earlier attempt did a write of that name: what went before it is done too, and may be gone. */
export function wasWritten(name: string): boolean {
  return current()?.earlier.steps.has(stepOf(name, 1)) === true;
}

/** What a write of that name has to do: nothing where an earlier attempt did it; `undefined`: it is no step of a call. */
export function nextStep(
  name: string,
):
  | { readonly done: true; readonly output: unknown }
  | (CallStep & { readonly done: false })
  | undefined {
  const mine = current();
  if (mine === undefined) return undefined;
  const count = (mine.counts.get(name) ?? 0) + 1;
  mine.counts.set(name, count);
  const step = stepOf(name, count);
  const { steps } = mine.earlier;
  if (steps.has(step)) return { done: true, output: steps.get(step) };
  return { done: false, call: mine.call, step, at: mine.at, found: { ...mine.found } };
}

function stepOf(name: string, count: number): string {
  return `${name} ${count}`;
}

function current(): Attempt | undefined {
  const mine = attempts.getStore();
  return mine === undefined || mine.ended ? undefined : mine;
}
