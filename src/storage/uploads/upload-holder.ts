import { RegistryError } from '../../domain/errors.ts';
import { algorithmOf, hexOf } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { VerifiedFile } from '../../ports/spool.ts';
import type { UploadFile } from '../../ports/uploads.ts';
import { createInOrder } from '../../coordination/in-order.ts';
import type { UploadData } from './upload-data.ts';
import { markVerified } from '../blobs/verified-file.ts';

/** An upload as its holder knows it. */
export interface HeldUpload {
  readonly id: string;
  readonly data: UploadData;
  readonly gone: boolean;
  /** The bytes are becoming a blob: who cancels meanwhile waits, and the upload is gone if it is done. */
  adopt(move: () => Promise<void>): Promise<void>;
  /** Removes the upload and what is kept of it; never throws. */
  remove(): Promise<void>;
  /** Gives the turn on. */
  release(): void;
}

type State = 'open' | 'sealed' | 'adopted' | 'closed';

/** One request's turn with an upload. Its calls come one after the other, however they are made. */
export class UploadHolder implements UploadFile {
  readonly id: string;
  readonly cancelled: AbortSignal;
  readonly #upload: HeldUpload;
  readonly #inOrder = createInOrder();
  #size: number;
  #state: State = 'open';
  #verified: Digest | undefined;
  #closing: Promise<void> | undefined;

  constructor(upload: HeldUpload, size: number, cancelled: AbortSignal) {
    this.id = upload.id;
    this.cancelled = cancelled;
    this.#upload = upload;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  append(chunks: readonly Uint8Array[], taken: () => void = () => {}): Promise<void> {
    return this.#while('open', async (data) => {
      this.#verified = undefined;
      this.#size = await data.append(chunks, taken);
    });
  }

  truncate(size: number): Promise<void> {
    return this.#while('open', async (data) => {
      if (!Number.isSafeInteger(size) || size < 0 || size > this.#size) {
        throw new RangeError(`The upload ${this.id} can't be cut from ${this.#size} to ${size}`);
      }
      if (size === this.#size) return;
      this.#verified = undefined;
      this.#size = size;
      await data.truncate(size);
    });
  }

  sync(): Promise<void> {
    return this.#while('open', (data) => data.sync());
  }

  verify(expected: Digest): Promise<boolean> {
    return this.#while('open', async (data) => {
      this.#verified = undefined;
      const right = (await data.hash(algorithmOf(expected))) === hexOf(expected);
      if (right) this.#verified = expected;
      return right;
    });
  }

  seal(expected: Digest): Promise<VerifiedFile> {
    return this.#while('open', async (data) => {
      if (this.#verified !== expected) throw new Error(`${expected} is not verified`);
      await data.seal();
      this.#state = 'sealed';
      return markVerified(expected, this.#size, {
        moveTo: (path) => this.#moveTo(path),
        settle: () => this.#inOrder(() => this.#settle()),
      });
    });
  }

  async #moveTo(path: string): Promise<void> {
    if (this.#state === 'adopted') return;
    await this.#while('sealed', async (data) => {
      await this.#upload.adopt(() => data.moveTo(path));
      this.#state = 'adopted';
    });
  }

  /** The bytes are a blob already: what the upload has of them is not needed. */
  async #settle(): Promise<void> {
    if (this.#state !== 'adopted' && !this.#upload.gone) await this.#upload.remove();
  }

  discard(): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#upload.gone) return;
      this.#mustBe('open', 'sealed');
      await this.#upload.remove();
    });
  }

  /** What ends because the upload went away says so, whatever else it met. */
  #while<T>(state: State, work: (data: UploadData) => Promise<T>): Promise<T> {
    return this.#inOrder(async () => {
      if (this.#upload.gone) throw unknown(this.id);
      this.#mustBe(state);
      let result: T;
      try {
        result = await work(this.#upload.data);
      } catch (error) {
        throw this.#upload.gone ? unknown(this.id) : error;
      }
      if (this.#upload.gone && state === 'open') throw unknown(this.id);
      return result;
    });
  }

  #mustBe(...states: readonly State[]): void {
    if (!states.includes(this.#state)) {
      throw new Error(`The upload ${this.id} is ${this.#state} in this request`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#inOrder(async () => {
      this.#state = 'closed';
      await this.#upload.data.close();
      this.#upload.release();
    });
    return this.#closing;
  }
}

function unknown(id: string): RegistryError {
  return new RegistryError('uploadUnknown', 'The upload is not there any more', { detail: { id } });
}
