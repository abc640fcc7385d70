import { Turns } from '../../coordination/turns.ts';
import { FairMemory } from '../../coordination/fair-memory.ts';
import { ListsBusy } from '../../domain/lists-busy.ts';
import type { Clock } from '../../ports/clock.ts';

/** Lists of one host that are read at once: half of the small requests that it is sent at a time, so that manifests find room. */
const ofHostMax = 16;
const waitMs = 10_000;
/** What the lists that are being read have gathered, of all hosts together; those of one host have half of it. */
const gatheredBytesMax = 32 * 1024 * 1024;

/** Bounds how many lists an upstream is asked for at once, and how much they gather; a slow upstream holds up none of the others. */
export class ListTurns {
  readonly #turns: Turns;
  readonly #gathered: FairMemory;
  readonly #signal: AbortSignal;

  /** `signal` ends with the server. */
  constructor(clock: Clock, signal: AbortSignal) {
    const patience = { ms: waitMs, late: () => new ListsBusy() };
    this.#turns = new Turns(clock, { atOnce: ofHostMax, patience });
    this.#gathered = new FairMemory({
      maxBytes: gatheredBytesMax,
      now: () => clock.elapsed(),
      full: () => new ListsBusy(),
    });
    this.#signal = signal;
  }

  /**
   * Runs `read` when its turn comes. Throws `ListsBusy` where that takes longer than 10 s. `read` calls `gather` with the bytes that
   * its list keeps in memory while it grows; that throws `ListsBusy` where there is no room for them.
   */
  async run<T>(host: string, read: (gather: (bytes: number) => void) => Promise<T>): Promise<T> {
    using _turn = await this.#turns.take(host, this.#signal);
    let isCut = false;
    using holding = this.#gathered.join(host, () => {
      isCut = true;
    });
    return await read((bytes) => {
      if (isCut) throw new ListsBusy();
      holding.add(bytes);
    });
  }
}
