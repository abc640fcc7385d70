/** One who waits in line for a place, or takes what nobody waits for. */
export interface Applicant {
  /** Places that may be taken before it has its own: its rule's `maxConnections`. */
  readonly limit: number;
  /** False: no client waits for what it brings. */
  readonly wanted: boolean;
}

export interface Seeker extends Applicant {
  /** Bytes that each connection would have to bring if this one got another; 0: it needs none. */
  readonly load: number;
}

export interface LaneState {
  readonly active: number;
  /** In the order of their coming. */
  readonly waiters: readonly Applicant[];
  readonly seekers: readonly Seeker[];
}

/** Who gets the next place: an index into the waiters or the seekers. */
export type Turn = { readonly waiter: number } | { readonly seeker: number };

/**
 * What no client waits for leaves an eighth of the places free, one at least where there are two: whoever comes next begins
 * at once.
 */
export function reservedOf(limit: number): number {
  return limit < 2 ? 0 : Math.max(1, Math.floor(limit / 8));
}

/**
 * The next turn, or `undefined` where no place is free for anybody: first what a client waits for and has no connection, then
 * further connections for such, most bytes first; then the same for what no client waits for.
 */
export function nextTurn({ active, waiters, seekers }: LaneState): Turn | undefined {
  const fits = ({ wanted, limit }: Applicant): boolean =>
    active < (wanted ? limit : limit - reservedOf(limit));
  for (const wanted of [true, false]) {
    const waiter = waiters.findIndex((one) => one.wanted === wanted && fits(one));
    if (waiter >= 0) return { waiter };
    let seeker: number | undefined;
    for (const [index, one] of seekers.entries()) {
      if (one.wanted !== wanted || one.load <= 0 || !fits(one)) continue;
      if (seeker === undefined || one.load > (seekers[seeker]?.load ?? 0)) seeker = index;
    }
    if (seeker !== undefined) return { seeker };
  }
  return undefined;
}
