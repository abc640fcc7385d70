/** What Node keeps of a chunk besides its bytes. */
const chunkBytes = 256;
/** So much is let in at once for each who waits: two of Node's chunks. */
const turnBytes = 128 * 1024;

/**
 * The memory of what all uploads have gathered and are writing. Where it is used up no body is read on, so that clients wait in TCP,
 * and the largest gatherings go to the disk as they are: who stopped sending keeps nobody waiting.
 */
export interface UploadBudget {
  /** `writeOut` sends what is gathered to the disk; it may be called at any time. */
  join(writeOut: () => void): UploadPart;
  readonly usedBytes: number;
}

/** One upload's part. Disposing gives back all of it. */
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

export function createUploadBudget(bytesMax: number): UploadBudget {
  const members = new Set<Member>();
  const waiting = new Map<Member, () => void>();
  let used = 0;
  let writing = 0;

  const serve = (): void => {
    let room = bytesMax - used;
    for (const [member, begin] of waiting) {
      if (room < 0) return;
      room -= turnBytes;
      waiting.delete(member);
      begin();
    }
  };
  /** Until half of the budget is on its way out or free. */
  const writeLargest = (): void => {
    let staying = used - writing;
    if (staying <= bytesMax / 2) return;
    const largest = [...members].toSorted((a, b) => b.gathered - a.gathered);
    for (const { gathered, writeOut } of largest) {
      if (gathered === 0 || staying <= bytesMax / 2) return;
      staying -= gathered;
      writeOut();
    }
  };

  const partOf = (member: Member): UploadPart => ({
    gather: (bytes) => {
      const cost = bytes + chunkBytes;
      member.gathered += cost;
      used += cost;
      return cost;
    },
    writing: (cost) => {
      member.gathered -= cost;
      member.writing += cost;
      writing += cost;
    },
    written: (cost) => {
      member.writing -= cost;
      writing -= cost;
      used -= cost;
      if (waiting.size > 0) serve();
    },
    turn: () => {
      if (used <= bytesMax && waiting.size === 0) return undefined;
      writeLargest();
      return new Promise((resolve) => {
        waiting.set(member, resolve);
        // What was over may be gone already, with nobody left to tell.
        if (used <= bytesMax) serve();
      });
    },
    [Symbol.dispose]: () => {
      if (!members.delete(member)) return;
      waiting.delete(member);
      used -= member.gathered + member.writing;
      writing -= member.writing;
      if (waiting.size > 0) serve();
    },
  });

  return {
    join: (writeOut) => {
      const member: Member = { gathered: 0, writing: 0, writeOut };
      members.add(member);
      return partOf(member);
    },
    get usedBytes() {
      return used;
    },
  };
}
