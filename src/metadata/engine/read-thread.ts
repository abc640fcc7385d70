import { Worker } from 'node:worker_threads';
import { errorText } from '../../domain/error-text.ts';
import { MetadataError } from '../contract/metadata-error.ts';
import type { List } from '../lists/lists.ts';
import type { ListOutcome, ListRequest, ReaderData } from './sqlite-reader.ts';

/** Lists that may wait; a further one is refused at once. */
export const listsWaitingMax = 1000;

export interface ReadThreadOptions {
  /** How long a list may run: one that takes longer is ended with its thread. As PostgreSQL's statement timeout. */
  readonly listMs: number;
  /** The thread ends when it had nothing to do for so long. */
  readonly idleMs: number;
  /** What it does may take its time: all other threads go first. */
  readonly isBackground?: boolean;
}

const defaults: ReadThreadOptions = { listMs: 30_000, idleMs: 60_000 };

interface Waiting extends ListRequest {
  resolve(rows: unknown): void;
  reject(error: MetadataError): void;
}

/**
 * Runs reads of many rows in a thread with a connection of its own, one after the other, while the main loop serves pulls. The
 * thread is started by the first list and ends when there was none for a while. Each list sees all writes that were answered
 * before it was asked for.
 */
export class ReadThread implements AsyncDisposable {
  readonly #file: string;
  readonly #options: ReadThreadOptions;
  readonly #waiting: Waiting[] = [];
  #running: Waiting | undefined;
  #worker: Worker | undefined;
  /** Ends the list that runs, or the thread that idles. */
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(file: string, options: ReadThreadOptions = defaults) {
    this.#file = file;
    this.#options = options;
  }

  readonly list: List = (name, input) => {
    if (this.#closed) return Promise.reject(new MetadataError('closed', 'the metadata is closed'));
    if (this.#waiting.length >= listsWaitingMax) {
      const message = `${this.#waiting.length} metadata lists wait already`;
      return Promise.reject(new MetadataError('busy', message));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ name, input, resolve, reject });
      this.#next();
    });
  };

  /** False until the first list, and again when the thread has idled. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const error = new MetadataError('closed', 'the metadata is closed');
    for (const one of this.#waiting.splice(0)) one.reject(error);
    await this.#end(error);
  }

  #next(): void {
    if (this.#running !== undefined) return;
    clearTimeout(this.#timer);
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#timer = setTimeout(() => void this.#end(), this.#options.idleMs).unref();
      return;
    }
    this.#running = next;
    const { name, input } = next;
    const late = new MetadataError(
      'failed',
      `metadata: ${name} took over ${this.#options.listMs} ms`,
    );
    this.#timer = setTimeout(() => void this.#end(late), this.#options.listMs).unref();
    this.#worker ??= this.#start();
    try {
      this.#worker.postMessage({ name, input } satisfies ListRequest);
    } catch (error) {
      this.#answer({ ok: false, message: errorText(error) });
    }
  }

  #start(): Worker {
    // tsc rewrites imports and not this: the file beside us has our own extension.
    const source = new URL('./sqlite-reader.ts', import.meta.url).href;
    const worker = new Worker(new URL(source.replace(/ts$/, import.meta.url.slice(-2))), {
      workerData: {
        file: this.#file,
        isBackground: this.#options.isBackground === true,
      } satisfies ReaderData,
      name: 'metadata-lists',
    });
    const died = (message: string): void => {
      if (this.#worker !== worker) return;
      void this.#end(new MetadataError('failed', `metadata: the thread of lists ${message}`));
    };
    worker.on('message', (outcome: ListOutcome) => {
      if (this.#worker === worker) this.#answer(outcome);
    });
    worker.on('error', (error) => died(`failed: ${errorText(error)}`));
    worker.on('exit', (code) => died(`ended with code ${code}`));
    worker.unref();
    return worker;
  }

  #answer(outcome: ListOutcome): void {
    const one = this.#running;
    this.#running = undefined;
    if (outcome.ok) one?.resolve(outcome.rows);
    else
      one?.reject(new MetadataError('failed', `metadata: ${one.name} failed: ${outcome.message}`));
    this.#next();
  }

  /** Ends the thread, and the list that it runs with `error`; what waits goes to a new one. */
  async #end(error?: MetadataError): Promise<void> {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    const one = this.#running;
    this.#worker = undefined;
    this.#running = undefined;
    if (error !== undefined) one?.reject(error);
    await worker?.terminate();
    if (!this.#closed && this.#waiting.length > 0) this.#next();
  }
}
