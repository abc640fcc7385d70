export interface ByteQueueOptions {
  /** When so many bytes wait to be read, `pause` is called: what is on its way by then is taken all the same. */
  readonly bytesMax: number;
  /** When so few wait again, `resume` is called. */
  readonly resumeBytes: number;
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Between a source that pushes bytes and one reader that pulls them; its memory is bounded by pausing the source. */
export class ByteQueue {
  readonly #options: ByteQueueOptions;
  #chunks: Uint8Array[] = [];
  #waitingBytes = 0;
  #paused = false;
  #end: { readonly error: unknown } | 'regular' | undefined;
  #reader: PromiseWithResolvers<Uint8Array | undefined> | undefined;

  constructor(options: ByteQueueOptions) {
    this.#options = options;
  }

  /** The reader waits for what comes next. */
  get isAwaited(): boolean {
    return this.#reader !== undefined;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Nothing after the end. */
  push(chunk: Uint8Array): void {
    if (this.#end !== undefined) return;
    const reader = this.#takeReader();
    if (reader !== undefined) return reader.resolve(chunk);
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#paused || this.#waitingBytes < this.#options.bytesMax) return;
    this.#paused = true;
    this.#options.pause();
  }

  /** What waits is read before the end is. The first end counts. */
  end(): void {
    if (this.#end !== undefined) return;
    this.#end = 'regular';
    this.#takeReader()?.resolve(undefined);
  }

  /** The same for an end that reads throw. */
  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#takeReader()?.reject(error);
  }

  /** Drops what waits. */
  clear(): void {
    this.#chunks.length = 0;
    this.#waitingBytes = 0;
  }

  /** The next bytes where they are here; without waiting. */
  take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#waitingBytes -= chunk.length;
    if (this.#paused && this.#waitingBytes <= this.#options.resumeBytes) {
      this.#paused = false;
      this.#options.resume();
    }
    return chunk;
  }

  /** The next bytes; `undefined` at the regular end. One read at a time. Throws what `fail` was given. */
  read(): Promise<Uint8Array | undefined> {
    const chunk = this.take();
    if (chunk !== undefined || this.#end === 'regular') return Promise.resolve(chunk);
    if (this.#end !== undefined) return Promise.reject(this.#end.error);
    this.#reader ??= Promise.withResolvers();
    return this.#reader.promise;
  }

  #takeReader(): PromiseWithResolvers<Uint8Array | undefined> | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }
}
