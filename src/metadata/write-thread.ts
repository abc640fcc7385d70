import { Worker } from 'node:worker_threads';
import { messageOf, MetadataError } from './metadata-error.ts';
import type { FromWorker, ToWorker } from './sqlite-worker.ts';
import type { Write, WriteInput, WriteName } from './writes.ts';

/** Writes that may wait for their commit; a further one is refused at once. */
export const waitingMax = 10_000;
/** Manifest bytes among them. */
const waitingBytesMax = 256 * 1024 * 1024;
/** A thread that died is started again by the first write that comes this long after. */
const restartAfterMs = 1000;
const closeTimeoutMs = 30_000;

export interface WriteThread extends AsyncDisposable {
  readonly write: Write;
  /** Ends the thread at once, as a crash would; for tests. */
  crash(): Promise<void>;
}

interface Waiting {
  readonly bytes: number;
  resolve(output: unknown): void;
  reject(error: MetadataError): void;
}

/**
 * Starts the thread that owns the write connection; resolves when the file is open and its schema up to date.
 * `onFailure` is told when the thread dies: what waited was rejected, and later writes start it again.
 */
export async function startWriteThread(
  file: string,
  onFailure: (error: MetadataError) => void,
): Promise<WriteThread> {
  const waiting = new Map<number, Waiting>();
  let waitingBytes = 0;
  let lastId = 0;
  let worker: Worker | undefined;
  let diedAt = 0;
  let opened = false;
  let closed = false;

  const settle = (id: number): Waiting | undefined => {
    const one = waiting.get(id);
    if (!one) return undefined;
    waiting.delete(id);
    waitingBytes -= one.bytes;
    return one;
  };
  const failAll = (error: MetadataError): void => {
    for (const id of waiting.keys()) settle(id)?.reject(error);
  };
  const answer = (message: Extract<FromWorker, { type: 'answers' }>): void => {
    for (const [id, outcome] of message.answers) {
      if (outcome.ok) settle(id)?.resolve(outcome.output);
      else
        settle(id)?.reject(
          new MetadataError('failed', `metadata: a write failed: ${outcome.message}`),
        );
    }
  };
  const died = (thread: Worker, error: MetadataError): void => {
    if (worker !== thread) return;
    worker = undefined;
    diedAt = performance.now();
    failAll(error);
    if (opened && !closed) onFailure(error);
  };
  const start = (): { readonly thread: Worker; readonly ready: Promise<void> } => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // A crash after the start is told through `onFailure`.
    promise.catch(() => {});
    const thread = new Worker(
      new URL(
        import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js',
        import.meta.url,
      ),
      {
        workerData: { file },
        name: 'metadata',
      },
    );
    const end = (error: MetadataError): void => {
      reject(error);
      died(thread, error);
    };
    thread.on('message', (message: FromWorker) => {
      if (message.type === 'answers') answer(message);
      else if (message.type === 'ready') resolve();
      else if (message.type === 'failed')
        end(new MetadataError(message.reason, `${file}: ${message.message}`));
    });
    thread.on('error', (error) =>
      end(
        new MetadataError(
          'crashed',
          `the metadata's write thread failed: ${messageOf(error)}`,
          error,
        ),
      ),
    );
    thread.on('exit', (code) =>
      end(new MetadataError('crashed', `the metadata's write thread ended with code ${code}`)),
    );
    worker = thread;
    return { thread, ready: promise };
  };

  const write = (name: WriteName, input: unknown): Promise<unknown> => {
    if (closed) return Promise.reject(new MetadataError('closed', 'the metadata is closed'));
    const { message, bytes, transfer } = packed(++lastId, name, input);
    if (waiting.size >= waitingMax || waitingBytes + bytes > waitingBytesMax) {
      return Promise.reject(
        new MetadataError('busy', `${waiting.size} metadata writes wait already`),
      );
    }
    if (!worker && performance.now() - diedAt < restartAfterMs) {
      return Promise.reject(new MetadataError('crashed', "the metadata's write thread is down"));
    }
    const thread = worker ?? start().thread;
    return new Promise((resolve, reject) => {
      waiting.set(lastId, { bytes, resolve, reject });
      waitingBytes += bytes;
      thread.postMessage(message, transfer);
    });
  };

  await start().ready;
  opened = true;
  return {
    write: write as Write,
    async crash() {
      await worker?.terminate();
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      if (!worker) return;
      await close(worker, file);
      failAll(new MetadataError('closed', 'the metadata is closed'));
    },
  };
}

/** The bytes of a manifest are copied once, here, and handed over: a view's whole buffer would be cloned otherwise. */
function packed(
  id: number,
  name: WriteName,
  input: unknown,
): { message: ToWorker; bytes: number; transfer: ArrayBuffer[] } {
  if (name !== 'storeManifest')
    return { message: { type: 'write', id, name, input }, bytes: 0, transfer: [] };
  const store = input as WriteInput<'storeManifest'>;
  const bytes = new Uint8Array(store.manifest.bytes);
  const copied: WriteInput<'storeManifest'> = { ...store, manifest: { ...store.manifest, bytes } };
  return {
    message: { type: 'write', id, name, input: copied },
    bytes: bytes.byteLength,
    transfer: [bytes.buffer],
  };
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
