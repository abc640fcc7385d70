import { parentPort, workerData } from 'node:worker_threads';
import { errorText } from '../../domain/error-text.ts';
import { MetadataError } from '../contract/metadata-error.ts';
import type { WriteRequest } from '../writes/writes.ts';
import type { WriteOutcome } from './sqlite-writer.ts';
import { openSqliteWriter } from './sqlite-writer.ts';

/** What the write thread is told. */
export type ToWorker =
  | ({ readonly type: 'write'; readonly id: number } & WriteRequest)
  | { readonly type: 'close' };

/** What it tells. `failed`: the file could not be opened; the thread has ended. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly reason: 'version' | 'failed'; readonly message: string }
  | {
      readonly type: 'answers';
      readonly answers: readonly (readonly [id: number, outcome: WriteOutcome])[];
    }
  | { readonly type: 'closed'; readonly error: string | undefined };

/** Writes in one transaction: they are answered together. */
const groupMax = 512;

/** What opening and migrating left behind is collected then: megabytes that nothing later would ask for. */
const collectAfterMs = 1000;

if (parentPort) await serve(parentPort, workerData as { readonly file: string });

async function serve(
  port: NonNullable<typeof parentPort>,
  { file }: { readonly file: string },
): Promise<void> {
  const tell = (message: FromWorker): void => port.postMessage(message);
  const waiting: Extract<ToWorker, { type: 'write' }>[] = [];
  let closing = false;
  let running = true;
  port.on('message', (message: ToWorker) => {
    if (message.type === 'close') closing = true;
    else waiting.push(message);
    if (!running) {
      running = true;
      setImmediate(work);
    }
  });
  let writer: Awaited<ReturnType<typeof openSqliteWriter>>;
  try {
    writer = await openSqliteWriter(file);
  } catch (error) {
    const reason =
      error instanceof MetadataError && error.reason === 'version' ? 'version' : 'failed';
    tell({ type: 'failed', reason, message: errorText(error) });
    port.close();
    return;
  }
  tell({ type: 'ready' });
  setImmediate(work);
  setTimeout(collect, collectAfterMs).unref();

  function collect(): void {
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }

  // An immediate comes after the messages that have arrived, so that a group holds all that wait.
  function work(): void {
    void runWaiting();
  }

  async function runWaiting(): Promise<void> {
    const group = waiting.splice(0, groupMax);
    if (group.length > 0) {
      const outcomes = await writer.run(group);
      tell({
        type: 'answers',
        answers: outcomes.map((outcome, index) => [group[index]?.id ?? -1, outcome] as const),
      });
    }
    if (waiting.length > 0) setImmediate(work);
    else if (closing) close();
    else running = false;
  }

  function close(): void {
    let error: string | undefined;
    try {
      writer.close();
    } catch (cause) {
      error = errorText(cause);
    }
    tell({ type: 'closed', error });
    port.close();
  }
}
