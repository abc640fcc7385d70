/** The part of a clock that serving needs; the application's clock fits. */
export interface Timer {
  /** Monotonic milliseconds. */
  elapsed(): number;
  /** Calls back once; never keeps the process alive. Disposing cancels it. */
  after(ms: number, callback: () => void): Disposable;
}
