/**
 * Work that one process at a time may do, of all that share a database: upkeep, the download of a blob.
 *
 * - Of one name at most one lease is in force at any time. It ends when it is disposed, or `forMs` after it was taken or last renewed;
 *   a process that died or stands still keeps nobody waiting longer than that.
 * - The holder knows first: by its own clock its lease has ended, and `lost` has aborted, before anybody else is given the name.
 *   A process that stood still meanwhile may yet write something afterwards: `fence` is for what must refuse that.
 */
export interface Leases {
  /** `undefined` where another lease of that name is in force; nobody waits here. */
  take(name: string, forMs: number): Promise<Lease | undefined>;
}

export interface Lease extends AsyncDisposable {
  /**
   * Higher than that of every earlier lease of the name. A store that gets it with each write, and refuses one that is lower
   * than the highest it has seen, takes nothing from a holder whose lease has ended.
   */
  readonly fence: number;
  /** Aborts when the lease ends without having been disposed. */
  readonly lost: AbortSignal;
  /** In force for another `forMs` from now: true. False: it has ended, and is not to be had again by this. */
  renew(): Promise<boolean>;
}
