/** What Node keeps of a chunk besides its bytes. */
const chunkBytes = 256;
/** Who waits is let in with room for so much: two of Node's chunks. */
const turnBytes = 128 * 1024;

/** One upload's part of the memory. Disposing gives back all of it. */
export interface UploadPart extends Disposable {
  /** A chunk of so many bytes was gathered; answers what it costs. */
  gather(bytes: number): number;
  /** Of the gathered so much is on its way to the disk … */
  writing(cost: number): void;
  /** … and no longer in memory. */
  written(cost: number): void;
  /** `undefined` where the next chunk may be read; else resolves when it may, in the order of asking. */
  turn(): Promise<void> | undefined;
}

interface Member {
  gathered: number;
  writing: number;
  readonly writeOut: () => void;
}

/**
 * The memory of what all uploads have gathered and are writing. Where it is used up no body is read on, so that clients wait in TCP,
 * and the largest gatherings go to the disk as they are: who stopped sending keeps nobody waiting.
 */
export class UploadBudget {
  readonly #bytesMax: number;
  readonly #members = new Set<Member>();
  readonly #waiting = new Map<Member, () => void>();
  #used = 0;
  #writing = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** `writeOut` sends what is gathered to the disk; it may be called at any time. */
  join(writeOut: () => void): UploadPart {
    const member: Member = { gathered: 0, writing: 0, writeOut };
    this.#members.add(member);
    return {
      gather: (bytes) => this.#gather(member, bytes + chunkBytes),
      writing: (cost) => {
        member.gathered -= cost;
        member.writing += cost;
        this.#writing += cost;
      },
      written: (cost) => {
        member.writing -= cost;
        this.#free(cost, cost);
      },
      turn: () => this.#turn(member),
      [Symbol.dispose]: () => {
        if (!this.#members.delete(member)) return;
        this.#waiting.delete(member);
        this.#free(member.gathered + member.writing, member.writing);
      },
    };
  }

  #gather(member: Member, cost: number): number {
    member.gathered += cost;
    this.#used += cost;
    return cost;
  }

  /** So much is in memory no longer, of which `written` was on its way to the disk. */
  #free(cost: number, written: number): void {
    this.#used -= cost;
    this.#writing -= written;
    if (this.#waiting.size > 0) this.#serve();
  }

  #turn(member: Member): Promise<void> | undefined {
    if (this.#used <= this.#bytesMax && this.#waiting.size === 0) return undefined;
    this.#writeLargest();
    return new Promise((resolve) => {
      this.#waiting.set(member, resolve);
      // What was over may be gone already, with nobody left to say so.
      if (this.#used <= this.#bytesMax) this.#serve();
    });
  }

  #serve(): void {
    let room = this.#bytesMax - this.#used;
    for (const [member, begin] of this.#waiting) {
      if (room < 0) return;
      room -= turnBytes;
      this.#waiting.delete(member);
      begin();
    }
  }

  /** Until half of the budget is on its way out or free. */
  #writeLargest(): void {
    let staying = this.#used - this.#writing;
    if (staying <= this.#bytesMax / 2) return;
    const largest = [...this.#members].toSorted((a, b) => b.gathered - a.gathered);
    for (const { gathered, writeOut } of largest) {
      if (gathered === 0 || staying <= this.#bytesMax / 2) return;
      staying -= gathered;
      writeOut();
    }
  }
}
