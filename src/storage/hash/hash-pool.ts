import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DigestAlgorithm } from '../../domain/names/digest.ts';
import type { Clock } from '../../ports/clock.ts';
import { appendBlockBytes } from '../../ports/uploads.ts';
import type { HashAnswer, HashRequest } from './hash-worker.ts';
import { systemClock } from '../../coordination/system-clock.ts';
import { createWriteBlocks } from '../disk/write-blocks.ts';
import type { WriteBlock, WriteBlocks } from '../disk/write-blocks.ts';

/** A file hashed from byte 0 by a worker while it grows. Disposing gives it up. */
export interface HashJob extends Disposable {
  /** The first `upTo` bytes can be read; cheap to call often. */
  advance(upTo: number): void;
  /** The block begins with `length` bytes of the file's `position`, all those before it can be read; holds the block until they are hashed. */
  feed(block: WriteBlock, length: number, position: number): void;
  /** The hex digest of the first `size` bytes. Rejects when the worker or its read failed; the job is then over. */
  finish(size: number): Promise<string>;
}

export interface HashPool extends AsyncDisposable {
  /** Those that can be fed. */
  readonly blocks: WriteBlocks;
  start(path: string, algorithm: DigestAlgorithm): HashJob;
}

/** Fewer bytes than this are not worth a message; `finish` announces the rest. */
const messageBytes = 1024 * 1024;

interface Lane {
  readonly worker: Worker;
  readonly jobs: Map<number, PromiseWithResolvers<string>>;
  /** Memory that the worker has, by its start. */
  readonly lent: Map<number, WriteBlock>;
  /** Jobs and blocks that somebody waits for: only these keep the process alive. */
  waiting: number;
  /** Runs while it has nothing to do. */
  idle: Disposable | undefined;
}

function beginWait(lane: Lane): void {
  lane.waiting += 1;
  lane.worker.ref();
}

function endWait(lane: Lane): void {
  lane.waiting -= 1;
  if (lane.waiting === 0) lane.worker.unref();
}

/** A thread without a job ends after this time: it holds 10 MB, and its start costs the next job some 50 ms. */
export const idleThreadMs = 10_000;

/** 16 MiB in all: enough for the disk and the hash of a few uploads to have work while the others receive. */
const blocksMax = 16;

/** Threads start with the first jobs and never hold the process; one that ends by itself fails its jobs and is replaced. */
export function createHashPool(
  workersMax: number = Math.max(1, Math.min(2, availableParallelism() - 1)),
  workerUrl: URL = new URL(`./hash-worker${extname(import.meta.url)}`, import.meta.url),
  blocks: WriteBlocks = createWriteBlocks(appendBlockBytes, blocksMax),
  clock: Pick<Clock, 'after'> = systemClock,
): HashPool {
  const lanes = new Set<Lane>();
  let lastJob = 0;
  let closed = false;

  const rest = (lane: Lane): void => {
    if (lane.jobs.size > 0 || lane.lent.size > 0 || !lanes.has(lane)) return;
    lane.idle ??= clock.after(idleThreadMs, () => {
      // From here on no job is given to it.
      lanes.delete(lane);
      void lane.worker.terminate();
    });
  };

  const chooseLane = (): Lane => {
    const [first, ...others] = lanes;
    if (first === undefined) return startLane(workerUrl, blocks, lanes, rest);
    const idlest = others.reduce(
      (best, lane) => (lane.jobs.size < best.jobs.size ? lane : best),
      first,
    );
    return idlest.jobs.size > 0 && lanes.size < workersMax
      ? startLane(workerUrl, blocks, lanes, rest)
      : idlest;
  };

  return {
    blocks,
    start: (path, algorithm) => {
      if (closed) throw new Error('The hash pool is closed');
      lastJob += 1;
      const lane = chooseLane();
      lane.idle?.[Symbol.dispose]();
      lane.idle = undefined;
      return startJob(lane, lastJob, path, algorithm, () => rest(lane));
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      await Promise.all([...lanes].map((lane) => lane.worker.terminate()));
    },
  };
}

/** Among `lanes` until it ends; `rest` is called after each answer: it may have nothing to do then. */
function startLane(
  workerUrl: URL,
  blocks: WriteBlocks,
  lanes: Set<Lane>,
  rest: (lane: Lane) => void,
): Lane {
  // Flags of the process, such as --input-type, may not suit a file.
  const lane: Lane = {
    worker: new Worker(workerUrl, { execArgv: [], workerData: blocks.memory }),
    jobs: new Map(),
    lent: new Map(),
    waiting: 0,
    idle: undefined,
  };
  let failure: unknown;
  lane.worker.unref();
  lane.worker.on('message', (message: HashAnswer) => {
    settle(lane, message);
    rest(lane);
  });
  lane.worker.on('error', (error) => (failure = error));
  lane.worker.on('exit', () => {
    lane.idle?.[Symbol.dispose]();
    lanes.delete(lane);
    const cause = failure === undefined ? undefined : { cause: failure };
    for (const job of lane.jobs.values()) job.reject(new Error('A hash worker ended', cause));
    lane.jobs.clear();
    for (const block of lane.lent.values()) block.release();
    lane.lent.clear();
  });
  lanes.add(lane);
  return lane;
}

function settle(lane: Lane, message: HashAnswer): void {
  if (message.type === 'fed') {
    lane.lent.get(message.start)?.release();
    lane.lent.delete(message.start);
    endWait(lane);
    return;
  }
  const job = lane.jobs.get(message.job);
  lane.jobs.delete(message.job);
  if (message.type === 'done') job?.resolve(message.hex);
  else job?.reject(new Error(`A hash worker could not read: ${message.message}`));
}

function startJob(
  lane: Lane,
  id: number,
  path: string,
  algorithm: DigestAlgorithm,
  givenUp: () => void,
): HashJob {
  const outcome = Promise.withResolvers<string>();
  // A failure before anybody waits is thrown by `finish`.
  outcome.promise.catch(() => undefined);
  lane.jobs.set(id, outcome);
  const send = (request: HashRequest): void => lane.worker.postMessage(request);
  send({ type: 'start', job: id, path, algorithm });
  let announced = 0;
  return {
    advance: (upTo) => {
      if (upTo - announced < messageBytes) return;
      announced = upTo;
      send({ type: 'advance', job: id, upTo, finish: false });
    },
    feed: (block, length, position) => {
      if (!lane.jobs.has(id)) return;
      if (announced < position) send({ type: 'advance', job: id, upTo: position, finish: false });
      const { start } = block;
      block.keep();
      lane.lent.set(start, block);
      beginWait(lane);
      send({ type: 'feed', job: id, start, length });
      announced = position + length;
    },
    finish: async (size) => {
      send({ type: 'advance', job: id, upTo: size, finish: true });
      beginWait(lane);
      try {
        return await outcome.promise;
      } finally {
        endWait(lane);
      }
    },
    [Symbol.dispose]: () => {
      if (!lane.jobs.delete(id)) return;
      send({ type: 'cancel', job: id });
      outcome.reject(new Error('The hash was given up'));
      givenUp();
    },
  };
}
