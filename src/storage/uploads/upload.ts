import type { Turns } from '../../coordination/turns.ts';
import { RegistryError } from '../../domain/errors.ts';
import { algorithmOf, hexOf } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { createInOrder } from '../../coordination/in-order.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { UploadLease } from '../../ports/uploads.ts';
import type { VerifiedFile } from '../../ports/verified-file.ts';
import { markVerified } from '../blobs/blobs.ts';
import type { UploadFile } from './upload-file.ts';
import type { UploadName } from './upload-folder.ts';

/** What all uploads of a storage share. */
export interface UploadParts {
  readonly clock: Clock;
  readonly events: Events;
  /** One request's at a time, by the upload's id. */
  readonly turns: Turns;
  /** Called once, when the upload is no more. */
  readonly onEnd: (upload: Upload) => void;
}

/** One open upload: its bytes, which request has them, and since when none has. */
export class Upload {
  readonly name: UploadName;
  /** Whose it is; `undefined` of one that an earlier process began. */
  readonly owner: string | undefined;
  readonly file: UploadFile;
  readonly #parts: UploadParts;
  #usedAt: number | undefined;
  #isEmpty: boolean | undefined;
  #isGone = false;
  /** Aborts the lease of the request that has it. */
  #cancel: AbortController | undefined;
  #adopting: Promise<void> | undefined;
  #looking: Promise<void> | undefined;

  constructor(name: UploadName, owner: string | undefined, file: UploadFile, parts: UploadParts) {
    this.name = name;
    this.owner = owner;
    this.file = file;
    this.#parts = parts;
  }

  /** Monotonic ms of the last request; `undefined` for one that this process has not seen used. */
  get usedAt(): number | undefined {
    return this.#usedAt;
  }

  /** As of its last request; `undefined` as `usedAt`. */
  get isEmpty(): boolean | undefined {
    return this.#isEmpty;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get isTaken(): boolean {
    return this.#parts.turns.isFull(this.name.id);
  }

  /** This process began it just now. */
  begin(): void {
    this.#usedAt = this.#parts.clock.elapsed();
    this.#isEmpty = true;
  }

  /** Of an upload that this process has not seen used: since when it idles, and whether anything is in it. */
  look(): Promise<void> {
    const { clock } = this.#parts;
    this.#looking ??= (async () => {
      const modifiedAt = (await this.file.modifiedAt()) ?? 0;
      const size = await this.file.size();
      // A clock that was wrong once must not keep an upload for ever: one of the future is of now.
      this.#usedAt ??= clock.elapsed() - Math.max(0, clock.now() - modifiedAt);
      this.#isEmpty ??= (size ?? 0) === 0;
    })().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** `undefined` once it is gone, also while it was waited for. */
  async take(signal: AbortSignal): Promise<UploadLease | undefined> {
    let turn: Disposable;
    try {
      turn = await this.#parts.turns.take(this.name.id, signal);
    } catch (error) {
      if (this.#isGone && !signal.aborted) return undefined;
      throw error;
    }
    let size: number | undefined;
    try {
      size = await this.file.open();
      if (size === undefined || this.#isGone) {
        await this.file.close();
        // Opening may have made the file of a cancelled upload anew.
        await this.remove();
        size = undefined;
      }
    } catch (error) {
      turn[Symbol.dispose]();
      throw error;
    }
    if (size !== undefined) return this.#lease(size, turn);
    turn[Symbol.dispose]();
    return undefined;
  }

  #lease(size: number, turn: Disposable): UploadLease {
    const cancel = new AbortController();
    this.#cancel = cancel;
    const lease: Lease = new Lease(this, size, cancel.signal, () => {
      this.#cancel = undefined;
      this.#usedAt = this.#parts.clock.elapsed();
      this.#isEmpty = lease.size === 0;
      turn[Symbol.dispose]();
    });
    return lease;
  }

  /** The bytes are becoming a blob: who cancels meanwhile waits, and the upload is gone if it is done. */
  adopt(move: () => Promise<void>): Promise<void> {
    this.#adopting = move()
      .then(() => this.end())
      .finally(() => (this.#adopting = undefined));
    return this.#adopting;
  }

  /** False where it was gone already. */
  async cancel(): Promise<boolean> {
    while (this.#adopting !== undefined) await this.#adopting.catch(() => undefined);
    if (this.#isGone) return false;
    const removed = this.remove();
    this.#cancel?.abort(new RegistryError('uploadUnknown', 'The upload was cancelled'));
    await removed;
    return true;
  }

  /** Ends it at once, then removes its bytes; what can't be removed is left to a sweep. Never throws. */
  async remove(): Promise<void> {
    this.end();
    try {
      await this.file.remove();
    } catch (error) {
      const operation = 'remove upload';
      this.#parts.events.emit({ type: 'storageFailed', operation, message: String(error) });
    }
  }

  /** It is no more, for those who wait as well. */
  end(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#parts.onEnd(this);
    this.#parts.turns.refuse(this.name.id, unknownUpload(this.name.id));
  }
}

type LeaseState = 'open' | 'sealed' | 'adopted' | 'closed';

/** One request's turn with an upload. Its calls come one after the other, however they are made. */
class Lease implements UploadLease {
  readonly id: string;
  readonly cancelled: AbortSignal;
  readonly #upload: Upload;
  readonly #giveBack: () => void;
  readonly #inOrder = createInOrder();
  #size: number;
  #state: LeaseState = 'open';
  #verified: Digest | undefined;
  #closing: Promise<void> | undefined;

  constructor(upload: Upload, size: number, cancelled: AbortSignal, giveBack: () => void) {
    this.id = upload.name.id;
    this.cancelled = cancelled;
    this.#upload = upload;
    this.#size = size;
    this.#giveBack = giveBack;
  }

  get size(): number {
    return this.#size;
  }

  append(chunks: readonly Uint8Array[], taken: () => void = () => {}): Promise<void> {
    return this.#while('open', async (file) => {
      this.#verified = undefined;
      this.#size = await file.append(chunks, taken);
    });
  }

  truncate(size: number): Promise<void> {
    return this.#while('open', async (file) => {
      if (!Number.isSafeInteger(size) || size < 0 || size > this.#size) {
        throw new RangeError(`The upload ${this.id} can't be cut from ${this.#size} to ${size}`);
      }
      if (size === this.#size) return;
      this.#verified = undefined;
      this.#size = size;
      await file.truncate(size);
    });
  }

  sync(): Promise<void> {
    return this.#while('open', (file) => file.sync());
  }

  verify(expected: Digest): Promise<boolean> {
    return this.#while('open', async (file) => {
      this.#verified = undefined;
      const right = (await file.hash(algorithmOf(expected))) === hexOf(expected);
      if (right) this.#verified = expected;
      return right;
    });
  }

  seal(expected: Digest): Promise<VerifiedFile> {
    return this.#while('open', async (file) => {
      if (this.#verified !== expected) throw new Error(`${expected} is not verified`);
      await file.seal();
      this.#state = 'sealed';
      return markVerified(expected, this.#size, {
        moveTo: (path) => this.#moveTo(path),
        settle: () => this.#inOrder(() => this.#settle()),
      });
    });
  }

  async #moveTo(path: string): Promise<void> {
    if (this.#state === 'adopted') return;
    await this.#while('sealed', async (file) => {
      await this.#upload.adopt(() => file.moveTo(path));
      this.#state = 'adopted';
    });
  }

  /** The bytes are a blob already: what the upload has of them is not needed. */
  async #settle(): Promise<void> {
    if (this.#state !== 'adopted' && !this.#upload.isGone) await this.#upload.remove();
  }

  discard(): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#upload.isGone) return;
      this.#mustBe('open', 'sealed');
      await this.#upload.remove();
    });
  }

  /** What ends because the upload went away says so, whatever else it met. */
  #while<T>(state: LeaseState, work: (file: UploadFile) => Promise<T>): Promise<T> {
    return this.#inOrder(async () => {
      if (this.#upload.isGone) throw unknownUpload(this.id);
      this.#mustBe(state);
      let result: T;
      try {
        result = await work(this.#upload.file);
      } catch (error) {
        throw this.#upload.isGone ? unknownUpload(this.id) : error;
      }
      if (this.#upload.isGone && state === 'open') throw unknownUpload(this.id);
      return result;
    });
  }

  #mustBe(...states: readonly LeaseState[]): void {
    if (!states.includes(this.#state)) {
      throw new Error(`The upload ${this.id} is ${this.#state} in this request`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#inOrder(async () => {
      this.#state = 'closed';
      await this.#upload.file.close();
      this.#giveBack();
    });
    return this.#closing;
  }
}

function unknownUpload(id: string): RegistryError {
  return new RegistryError('uploadUnknown', 'The upload is not there any more', { detail: { id } });
}
