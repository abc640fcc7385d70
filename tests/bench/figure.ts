import type { Certificate } from './certificate.ts';
import type { Processes } from './processes.ts';
import type { BreakwaterOptions } from './systems/breakwater.ts';
import type { System } from './systems/system.ts';
import type { RemoteUpstream } from './upstream-client.ts';

/** What every figure is measured with. */
export interface Bench {
  readonly processes: Processes;
  readonly upstream: RemoteUpstream;
  readonly peers: Peers;
  readonly certificate: Certificate | undefined;
  readonly quick: boolean;
  /** Of throughputs and sizes. */
  readonly runs: number;
  readonly latencyRuns: number;
  /** Pulls through from the upstream; `name` is its folder's, and a second start under the same name finds its store. */
  startBreakwater(
    name: string,
    options?: Pick<BreakwaterOptions, 'certificate' | 'freshFor'>,
  ): Promise<System>;
  /** A new folder of the run's own, gone at its end. */
  folder(name: string): string;
  /** Progress, on stderr. */
  say(line: string): void;
}

/** Paths of the other servers' programs; absent: said at the start, and left out. */
export interface Peers {
  readonly distribution: string | undefined;
  readonly dockerRegistry: string | undefined;
  readonly nginx: string | undefined;
  /** Built when a figure wants it, which takes minutes; says so where it can't be. */
  zot(): Promise<string | undefined>;
}

/** One row of the table in docs/benchmarks.md, or a few that share their set-up. */
export interface Figure {
  /** For `--only`. */
  readonly name: string;
  measure(bench: Bench): Promise<readonly Row[]>;
}

export interface Row {
  readonly title: string;
  readonly unit: string;
  readonly readings: readonly Reading[];
  readonly ratios: readonly Ratio[];
  readonly notes: readonly string[];
}

export interface Reading {
  readonly system: string;
  readonly median: number;
  readonly samples: readonly number[];
}

/** The number that the table sets a goal for. */
export interface Ratio {
  readonly what: string;
  readonly value: number;
  readonly goal: Goal;
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number };

export interface Contender {
  readonly name: string;
  measure(run: number): Promise<number>;
}

/** A B A B …: whatever the machine does meanwhile falls on all alike. */
export async function alternate(
  runs: number,
  contenders: readonly Contender[],
): Promise<readonly Reading[]> {
  const samples = contenders.map((): number[] => []);
  for (let run = 0; run < runs; run += 1)
    for (const [index, contender] of contenders.entries())
      samples[index]?.push(await contender.measure(run));
  return contenders.map(({ name }, index) => reading(name, samples[index] ?? []));
}

export function reading(system: string, samples: readonly number[]): Reading {
  return { system, median: median(samples), samples };
}

/** NaN of nothing. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** What 99 of 100 do not exceed; NaN of nothing. */
export function percentile99(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.ceil(samples.length * 0.99) - 1] ?? Number.NaN;
}

export function isReached(ratio: Ratio): boolean {
  return 'atLeast' in ratio.goal
    ? ratio.value >= ratio.goal.atLeast
    : ratio.value <= ratio.goal.atMost;
}

/** Of one system over another; none where either was not measured. */
export function ratioOf(
  readings: readonly Reading[],
  ours: string,
  theirs: string,
  goal: Goal,
): readonly Ratio[] {
  const [a, b] = [ours, theirs].map((name) => readings.find(({ system }) => system === name));
  if (a === undefined || b === undefined) return [];
  return [{ what: `${ours} ÷ ${theirs}`, value: a.median / b.median, goal }];
}
