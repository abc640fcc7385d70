import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { DigestAlgorithm } from '../../domain/names/digest.ts';

/**
 * What the main thread says: `upTo` bytes from 0 on can be read; `finish` says that this is all. What is fed are the next bytes,
 * in the shared memory.
 */
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
  | {
      readonly type: 'feed';
      readonly job: number;
      readonly start: number;
      readonly length: number;
    }
  | { readonly type: 'cancel'; readonly job: number };

/** `fed` gives memory back, in whatever way its job ended; one for each feed. */
export type HashAnswer =
  | { readonly type: 'fed'; readonly start: number }
  | { readonly type: 'done'; readonly job: number; readonly hex: string }
  | { readonly type: 'failed'; readonly job: number; readonly message: string };

/** The file's bytes up to `upTo`, or bytes of the shared memory. */
type Piece =
  | { readonly type: 'file'; upTo: number }
  | { readonly type: 'memory'; readonly start: number; readonly length: number };

interface Job {
  readonly fd: number;
  readonly hash: Hash;
  readonly pieces: Piece[];
  position: number;
  /** Where the last piece ends. */
  end: number;
  finish: boolean;
}

const memory = new Uint8Array(workerData as SharedArrayBuffer);
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
  for (const piece of job.pieces) giveBack(piece);
}

function giveBack(piece: Piece): void {
  if (piece.type === 'memory') answer({ type: 'fed', start: piece.start });
}

/** The next bytes of a piece; at most a block of a file. */
function bytesOf(job: Job, piece: Piece): Uint8Array {
  if (piece.type === 'memory') return memory.subarray(piece.start, piece.start + piece.length);
  const wanted = Math.min(blockBytes, piece.upTo - job.position);
  const count = readSync(job.fd, block, 0, wanted, job.position);
  if (count === 0) throw new Error(`The file ends at ${job.position}, before ${piece.upTo}`);
  return count === blockBytes ? block : block.subarray(0, count);
}

/** Hashes one block, so that jobs share the thread fairly. */
function step(id: number, job: Job): void {
  const [piece] = job.pieces;
  if (piece !== undefined) {
    const bytes = bytesOf(job, piece);
    job.hash.update(bytes);
    job.position += bytes.byteLength;
    if (piece.type === 'memory' || job.position === piece.upTo) {
      job.pieces.shift();
      giveBack(piece);
    }
  }
  if (job.finish && job.pieces.length === 0) {
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
    more ||= jobs.has(id) && job.pieces.length > 0;
  }
  turning = more;
  // Between blocks, messages come in.
  if (more) setImmediate(turn);
}

function add(job: Job, piece: Piece): void {
  const last = job.pieces.at(-1);
  if (piece.type === 'memory') {
    job.pieces.push(piece);
    job.end += piece.length;
  } else if (piece.upTo > job.end) {
    if (last?.type === 'file') last.upTo = piece.upTo;
    else job.pieces.push(piece);
    job.end = piece.upTo;
  }
}

function receive(request: HashRequest): void {
  const job = jobs.get(request.job);
  switch (request.type) {
    case 'start':
      attempt(request.job, () => {
        const fd = openSync(request.path, 'r');
        const hash = createHash(request.algorithm);
        jobs.set(request.job, { fd, hash, pieces: [], position: 0, end: 0, finish: false });
      });
      return;
    case 'advance':
      if (job === undefined) return;
      add(job, { type: 'file', upTo: request.upTo });
      job.finish = request.finish;
      break;
    case 'feed': {
      const piece: Piece = { type: 'memory', start: request.start, length: request.length };
      if (job === undefined) return giveBack(piece);
      add(job, piece);
      break;
    }
    case 'cancel':
      end(request.job);
      return;
  }
  if (!turning) turn();
}

parentPort?.on('message', receive);
