/** Time as a dependency, so that tests turn it by hand. */
export interface Clock {
  /** Wall time, milliseconds since the epoch: for what is stored and compared across restarts. */
  now(): number;
  /** Monotonic milliseconds: for durations. */
  elapsed(): number;
  /** Calls back once after `ms`; a pending timer never keeps the process alive. Disposing cancels it. */
  after(ms: number, callback: () => void): Disposable;
}
