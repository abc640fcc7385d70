/** A body that moves slower than this over a whole window, while there is something to move, is cut. */
export interface ProgressLimits {
  readonly windowMs: number;
  readonly bytesPerSecondMin: number;
}

export const progressLimits: ProgressLimits = { windowMs: 60_000, bytesPerSecondMin: 16 * 1024 };

/**
 * How fast one exchange's client takes (or sends) bytes. Only time in which there was something to move counts, so
 * waiting for a slow source never ends a client.
 */
export class Progress {
  #sinceMs = -1;
  #busyMs = 0;
  #bytes = 0;

  /** Something is to be moved from now on. */
  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  /** It was moved, all of it; nothing is to be moved until the next `begin`. */
  end(nowMs: number, bytes: number): void {
    if (this.#sinceMs >= 0) this.#busyMs += nowMs - this.#sinceMs;
    this.#sinceMs = -1;
    this.#bytes += bytes;
  }

  /** True when the window passed with too little moved. A window that was good enough starts the next one. */
  tooSlow(nowMs: number, limits: ProgressLimits): boolean {
    const busyMs = this.#busyMs + (this.#sinceMs < 0 ? 0 : nowMs - this.#sinceMs);
    if (busyMs < limits.windowMs) return false;
    if (this.#sinceMs >= 0 && this.#bytes < (busyMs / 1000) * limits.bytesPerSecondMin) return true;
    this.#busyMs = 0;
    this.#bytes = 0;
    if (this.#sinceMs >= 0) this.#sinceMs = nowMs;
    return false;
  }
}
