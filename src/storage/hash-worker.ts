import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { DigestAlgorithm } from '../domain/digest.ts';

/** What the main thread tells: `upTo` bytes from 0 on can be read; `finish` says that this is all. */
export type HashRequest =
  | {
      readonly type: 'start';
      readonly job: number;
      readonly path: string;
      readonly algorithm: DigestAlgorithm;
    }
  | {
      readonly type: 'advance';
      readonly job: number;
      readonly upTo: number;
      readonly finish: boolean;
    }
  | { readonly type: 'cancel'; readonly job: number };

export type HashAnswer =
  | { readonly type: 'done'; readonly job: number; readonly hex: string }
  | { readonly type: 'failed'; readonly job: number; readonly message: string };

interface Job {
  readonly fd: number;
  readonly hash: Hash;
  position: number;
  upTo: number;
  finish: boolean;
}

const blockBytes = 1024 * 1024;
const block = new Uint8Array(blockBytes);
const jobs = new Map<number, Job>();
let turning = false;

function answer(message: HashAnswer): void {
  parentPort?.postMessage(message);
}

function end(id: number): void {
  const job = jobs.get(id);
  if (job === undefined) return;
  jobs.delete(id);
  closeSync(job.fd);
}

/** Reads and hashes one block, so that jobs share the thread fairly. */
function step(id: number, job: Job): void {
  const wanted = Math.min(blockBytes, job.upTo - job.position);
  if (wanted > 0) {
    const count = readSync(job.fd, block, 0, wanted, job.position);
    if (count === 0) throw new Error(`The file ends at ${job.position}, before ${job.upTo}`);
    job.hash.update(count === blockBytes ? block : block.subarray(0, count));
    job.position += count;
  }
  if (job.finish && job.position === job.upTo) {
    answer({ type: 'done', job: id, hex: job.hash.digest('hex') });
    end(id);
  }
}

function attempt(id: number, work: () => void): void {
  try {
    work();
  } catch (error) {
    answer({ type: 'failed', job: id, message: String(error) });
    end(id);
  }
}

function turn(): void {
  let more = false;
  for (const [id, job] of jobs) {
    attempt(id, () => step(id, job));
    more ||= jobs.has(id) && job.position < job.upTo;
  }
  turning = more;
  // Between blocks, messages come in.
  if (more) setImmediate(turn);
}

function receive(request: HashRequest): void {
  switch (request.type) {
    case 'start':
      attempt(request.job, () => {
        const fd = openSync(request.path, 'r');
        const hash = createHash(request.algorithm);
        jobs.set(request.job, { fd, hash, position: 0, upTo: 0, finish: false });
      });
      return;
    case 'advance': {
      const job = jobs.get(request.job);
      if (job === undefined) return;
      job.upTo = request.upTo;
      job.finish = request.finish;
      if (!turning) turn();
      return;
    }
    case 'cancel':
      end(request.job);
  }
}

parentPort?.on('message', receive);
