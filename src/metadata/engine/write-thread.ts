import { Worker } from 'node:worker_threads';
import { errorText } from '../../domain/error-text.ts';
import { MetadataError } from '../contract/metadata-error.ts';
import type { FromWorker, ToWorker } from './sqlite-worker.ts';
import type { CallStep } from '../../coordination/call-attempt.ts';
import type { Write, WriteInput, WriteName, WriteRequest } from '../writes/writes.ts';

/** Writes that may wait for their commit; a further one is refused at once. */
export const waitingMax = 10_000;
/** Manifest bytes among them. */
const waitingBytesMax = 256 * 1024 * 1024;
/** A thread that died is started again by the first write that comes this long after. */
const restartAfterMs = 1000;
const closeTimeoutMs = 30_000;

interface Waiting {
  readonly bytes: number;
  resolve(output: unknown): void;
  reject(error: MetadataError): void;
}

/** The thread that owns a file's write connection, and the writes that wait for it. Disposing answers them and ends it. */
export class WriteThread implements AsyncDisposable {
  readonly #file: string;
  readonly #onFailure: (error: MetadataError) => void;
  readonly #waiting = new Map<number, Waiting>();
  #waitingBytes = 0;
  #lastId = 0;
  #worker: Worker | undefined;
  #diedAt = 0;
  #opened = false;
  #closed = false;

  /** `onFailure` is told when the thread dies once it is open: what waited was rejected, and writes start it again. */
  constructor(file: string, onFailure: (error: MetadataError) => void) {
    this.#file = file;
    this.#onFailure = onFailure;
  }

  readonly write: Write = ((name: WriteName, input: unknown, step?: CallStep) =>
    this.#write({ name, input, step })) as Write;

  /** Starts the thread; resolves when the file is open and its schema up to date. */
  async open(): Promise<void> {
    await this.#start().ready;
    this.#opened = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (!this.#worker) return;
    await close(this.#worker, this.#file);
    this.#failAll(new MetadataError('closed', 'the metadata is closed'));
  }

  #write(request: WriteRequest): Promise<unknown> {
    if (this.#closed) return Promise.reject(new MetadataError('closed', 'the metadata is closed'));
    if (!this.#worker && performance.now() - this.#diedAt < restartAfterMs) {
      return Promise.reject(new MetadataError('crashed', "the metadata's write thread is down"));
    }
    const bytes = manifestInput(request)?.manifest.bytes.byteLength ?? 0;
    if (this.#waiting.size >= waitingMax || this.#waitingBytes + bytes > waitingBytesMax) {
      return Promise.reject(
        new MetadataError('busy', `${this.#waiting.size} metadata writes wait already`),
      );
    }
    const id = (this.#lastId += 1);
    const thread = this.#worker ?? this.#start().thread;
    return new Promise((resolve, reject) => {
      const { message, transfer } = pack(id, request);
      thread.postMessage(message, transfer);
      this.#waiting.set(id, { bytes, resolve, reject });
      this.#waitingBytes += bytes;
    });
  }

  #start(): { readonly thread: Worker; readonly ready: Promise<void> } {
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
    // A thread that was started again says through `onFailure` what became of it.
    ready.catch(() => {});
    // tsc rewrites imports and not this: the file beside us has our own extension.
    const source = new URL('./sqlite-worker.ts', import.meta.url).href;
    const thread = new Worker(new URL(source.replace(/ts$/, import.meta.url.slice(-2))), {
      workerData: { file: this.#file },
      name: 'metadata',
    });
    const end = (error: MetadataError): void => {
      reject(error);
      this.#died(thread, error);
    };
    thread.on('message', (message: FromWorker) => {
      if (message.type === 'answers') this.#answer(message.answers);
      else if (message.type === 'ready') resolve();
      else if (message.type === 'failed') {
        end(new MetadataError(message.reason, `${this.#file}: ${message.message}`));
      }
    });
    thread.on('error', (error) =>
      end(
        new MetadataError(
          'crashed',
          `the metadata's write thread failed: ${errorText(error)}`,
          error,
        ),
      ),
    );
    thread.on('exit', (code) =>
      end(new MetadataError('crashed', `the metadata's write thread ended with code ${code}`)),
    );
    this.#worker = thread;
    return { thread, ready };
  }

  #died(thread: Worker, error: MetadataError): void {
    if (this.#worker !== thread) return;
    this.#worker = undefined;
    this.#diedAt = performance.now();
    this.#failAll(error);
    if (this.#opened && !this.#closed) this.#onFailure(error);
  }

  #answer(answers: Extract<FromWorker, { type: 'answers' }>['answers']): void {
    for (const [id, outcome] of answers) {
      const one = this.#settle(id);
      if (outcome.ok) one?.resolve(outcome.output);
      else
        one?.reject(
          new MetadataError(outcome.reason, `metadata: a write failed: ${outcome.message}`),
        );
    }
  }

  #settle(id: number): Waiting | undefined {
    const one = this.#waiting.get(id);
    if (this.#waiting.delete(id)) this.#waitingBytes -= one?.bytes ?? 0;
    return one;
  }

  #failAll(error: MetadataError): void {
    for (const id of this.#waiting.keys()) this.#settle(id)?.reject(error);
  }
}

type ManifestInput = WriteInput<'storeManifest' | 'putManifest'>;

/** The input, where the write carries a manifest's bytes. */
function manifestInput({ name, input }: WriteRequest): ManifestInput | undefined {
  return name === 'storeManifest' || name === 'putManifest' ? (input as ManifestInput) : undefined;
}

/**
 * A manifest's bytes are copied once, here, and handed over: a view's whole buffer would be cloned otherwise. Those of a preview's
 * pages are their caller's no more.
 */
function pack(id: number, request: WriteRequest): { message: ToWorker; transfer: ArrayBuffer[] } {
  if (request.name === 'addPreviewPages') {
    const { pages } = request.input as WriteInput<'addPreviewPages'>;
    const transfer = pages.map(({ results }) => results.buffer);
    return { message: { type: 'write', id, ...request }, transfer };
  }
  const carrier = manifestInput(request);
  if (!carrier) return { message: { type: 'write', id, ...request }, transfer: [] };
  const bytes = new Uint8Array(carrier.manifest.bytes);
  const copied = { ...carrier, manifest: { ...carrier.manifest, bytes } };
  return { message: { type: 'write', id, ...request, input: copied }, transfer: [bytes.buffer] };
}

async function close(thread: Worker, file: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  thread.on('message', (message: FromWorker) => {
    if (message.type === 'closed') resolve(message.error);
  });
  thread.once('exit', () => resolve(undefined));
  const deadline = setTimeout(
    () => resolve(`it did not close within ${closeTimeoutMs} ms`),
    closeTimeoutMs,
  );
  thread.postMessage({ type: 'close' } satisfies ToWorker);
  const error = await promise;
  clearTimeout(deadline);
  await thread.terminate();
  if (error !== undefined) throw new MetadataError('failed', `${file}: closing failed: ${error}`);
}
