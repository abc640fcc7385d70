/** What is in memory and has not moved for so long goes first where others need its room … */
const stalledMs = 3000;
/** Of what is announced so much has to come meanwhile: at 16 KiB/s, as bodies must. */
const movedBytesMin = 48 * 1024;
/** … and what takes longer than this, of a source that has more than an equal part of the memory. */
const slowMs = 10_000;

/** What is in memory of one thing on its way. Disposing it, also twice, gives all of it back. */
export interface Holding extends Disposable {
  /** Room for so many bytes that are still to come; those that are added then take it up. Throws as `add` does. */
  reserve(bytes: number): void;
  /**
   * So many bytes more; with 0, something moved. Throws what `full` makes where there is no room. `shared`: the bytes are this
   * object's, and count once however many holdings have them; such a holding has nothing else.
   */
  add(bytes: number, shared?: object): void;
  /** It no longer waits for anyone outside: it is never cut any more. */
  complete(): void;
}

export interface FairMemoryOptions {
  readonly maxBytes: number;
  /** Of one source; absent: half of all. */
  readonly sourceMaxBytes?: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly full: () => Error;
}

/** What is counted once. */
interface Content {
  bytes: number;
  /** Absent: one holding has it for itself. */
  readonly object?: object;
  /** How many holdings of each source have it. */
  readonly users: Map<string, number>;
}

interface Member {
  readonly source: string;
  content: Content;
  readonly startedMs: number;
  movedMs: number;
  /** Of the content's bytes those that are still to come. */
  awaited: number;
  /** Those that came since `movedMs`. */
  came: number;
  moving: boolean;
  readonly cut: () => void;
}

/**
 * A bound on memory that several sources (client addresses, upstream hosts) fill at their own speed. One source has half of it at
 * most, unless another share is said. Nobody waits: where there is no room, holdings that stand still or are slow are cut, else the new one is refused.
 */
export class FairMemory {
  readonly #options: FairMemoryOptions;
  readonly #members = new Set<Member>();
  readonly #usedBySource = new Map<string, number>();
  readonly #shared = new Map<object, Content>();
  #usedBytes = 0;

  constructor(options: FairMemoryOptions) {
    this.#options = options;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** `cut` is called once at most, when others need the room; the holding is out of the account then, whatever is added to it. */
  join(source: string, cut: () => void): Holding {
    const nowMs = this.#options.now();
    const content: Content = { bytes: 0, users: new Map([[source, 1]]) };
    const member: Member = {
      source,
      content,
      startedMs: nowMs,
      movedMs: nowMs,
      awaited: 0,
      came: 0,
      moving: true,
      cut,
    };
    this.#members.add(member);
    return {
      reserve: (bytes) => this.#reserve(member, bytes),
      add: (bytes, shared) => this.#add(member, bytes, shared),
      complete: () => {
        member.moving = false;
      },
      [Symbol.dispose]: () => this.#release(member),
    };
  }

  #reserve(member: Member, bytes: number): void {
    if (bytes === 0 || !this.#members.has(member)) return;
    this.#take(member, bytes);
    member.awaited += bytes;
  }

  #add(member: Member, bytes: number, shared: object | undefined): void {
    if (!this.#members.has(member)) return;
    const expected = Math.min(bytes, member.awaited);
    member.awaited -= expected;
    this.#moved(member, bytes);
    if (bytes === expected) return;
    if (shared === undefined) this.#take(member, bytes - expected);
    else this.#addShared(member, bytes, shared);
  }

  #moved(member: Member, bytes: number): void {
    member.came += bytes;
    if (member.awaited > 0 && member.came < movedBytesMin) return;
    member.came = 0;
    member.movedMs = this.#options.now();
  }

  #take(member: Member, bytes: number): void {
    this.#makeRoom(member, bytes, bytes);
    this.#book(member.source, bytes);
    member.content.bytes += bytes;
    this.#usedBytes += bytes;
  }

  #addShared(member: Member, bytes: number, shared: object): void {
    const ofAll = (): number => (this.#shared.has(shared) ? 0 : bytes);
    const isHis = this.#shared.get(shared)?.users.has(member.source) === true;
    if (!isHis) this.#makeRoom(member, ofAll(), bytes);
    const content = this.#shared.get(shared) ?? { bytes, object: shared, users: new Map() };
    if (content.users.size === 0) this.#usedBytes += bytes;
    if (!content.users.has(member.source)) this.#book(member.source, content.bytes);
    content.users.set(member.source, (content.users.get(member.source) ?? 0) + 1);
    this.#shared.set(shared, content);
    member.content = content;
  }

  #release(member: Member): void {
    if (!this.#members.delete(member)) return;
    const { content, source } = member;
    const left = (content.users.get(source) ?? 1) - 1;
    if (left > 0) {
      content.users.set(source, left);
      return;
    }
    content.users.delete(source);
    this.#book(source, -content.bytes);
    if (content.users.size > 0) return;
    this.#usedBytes -= content.bytes;
    if (content.object !== undefined) this.#shared.delete(content.object);
  }

  #book(source: string, bytes: number): void {
    const used = (this.#usedBySource.get(source) ?? 0) + bytes;
    if (used > 0) this.#usedBySource.set(source, used);
    else this.#usedBySource.delete(source);
  }

  #usedBy(source: string): number {
    return this.#usedBySource.get(source) ?? 0;
  }

  /** Room for `bytes` in all, and for `ownBytes` of the member's source. */
  #makeRoom(member: Member, bytes: number, ownBytes: number): void {
    const { maxBytes, sourceMaxBytes = maxBytes / 2, full } = this.#options;
    const fitsOwn = (): boolean => this.#usedBy(member.source) + ownBytes <= sourceMaxBytes;
    const fits = (): boolean => this.#usedBytes + bytes <= maxBytes && fitsOwn();
    if (fits()) return;
    const nowMs = this.#options.now();
    const largestFirst = [...this.#members].toSorted(
      (one, other) => other.content.bytes - one.content.bytes,
    );
    for (const each of largestFirst) {
      // Where the source has had its half only its own go.
      const isOpen = fitsOwn() || each.source === member.source;
      if (each === member || !isOpen || !this.#mayGo(each, member.source, nowMs)) continue;
      this.#release(each);
      each.cut();
      if (fits()) return;
    }
    throw full();
  }

  #mayGo({ moving, movedMs, startedMs, source }: Member, asking: string, nowMs: number): boolean {
    if (!moving) return false;
    if (nowMs - movedMs >= stalledMs) return true;
    const sources = this.#usedBySource.size + (this.#usedBySource.has(asking) ? 0 : 1);
    const equalPart = this.#options.maxBytes / sources;
    return nowMs - startedMs >= slowMs && this.#usedBy(source) > equalPart;
  }
}
