import { connect as connectPlain } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { accept } from './client-accept.ts';
import { createResponseReader } from './response-reader.ts';
import type { ResponseEvents } from './response-reader.ts';
import type {
  LatencyJob,
  PullJob,
  PullResult,
  ThroughputJob,
  ThroughputResult,
} from './load-job.ts';

type AnyJob = LatencyJob | PullJob | ThroughputJob;

/** One buffer for all connections: what a read brings is counted before the next one begins. */
const readBuffer = Buffer.allocUnsafe(64 * 1024);

function open(job: AnyJob, events: ResponseEvents): Socket {
  const reader = createResponseReader(events);
  const options = {
    host: job.host,
    port: job.port,
    onread: {
      buffer: readBuffer,
      callback: (count: number, buffer: Uint8Array) => {
        reader.take(Buffer.from(buffer.buffer, buffer.byteOffset, count));
        return true;
      },
    },
  };
  // The certificate is the bench's own, made a moment ago.
  return job.tls ? connectTls({ ...options, rejectUnauthorized: false }) : connectPlain(options);
}

function requestText(job: AnyJob, path: string): string {
  const authorization =
    job.authorization === undefined ? '' : `Authorization: ${job.authorization}\r\n`;
  return `GET ${path} HTTP/1.1\r\nHost: ${job.host}:${job.port}\r\nAccept: ${accept}\r\n${authorization}\r\n`;
}

async function throughput(job: ThroughputJob): Promise<ThroughputResult> {
  const request = requestText(job, job.path);
  let bytes = 0;
  let responses = 0;
  let failure: Error | undefined;
  const start = performance.now();
  const sockets = Array.from({ length: job.connections }, () => {
    const socket = open(job, {
      head(status) {
        if (status !== 200) failure = new Error(`status ${status}`);
      },
      body(count) {
        bytes += count;
      },
      end() {
        responses += 1;
        socket.write(request);
      },
    });
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once(job.tls ? 'secureConnect' : 'connect', () => socket.write(request));
    return socket;
  });
  await new Promise((resolve) => setTimeout(resolve, job.durationMs));
  const seconds = (performance.now() - start) / 1000;
  for (const socket of sockets) socket.destroy();
  if (failure !== undefined) throw failure;
  return { bytes, seconds, responses };
}

async function latencies(job: LatencyJob): Promise<readonly number[]> {
  const request = requestText(job, job.path);
  const taken: number[] = [];
  await new Promise<void>((resolve, reject) => {
    let askedAt = 0;
    const ask = (): void => {
      askedAt = performance.now();
      socket.write(request);
    };
    const socket = open(job, {
      head(status) {
        if (status !== 200) reject(new Error(`status ${status}`));
      },
      body: () => undefined,
      end() {
        taken.push(performance.now() - askedAt);
        if (taken.length === job.requests) resolve();
        else setTimeout(ask, job.pauseMs);
      },
    });
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('closed early')));
    socket.once(job.tls ? 'secureConnect' : 'connect', ask);
  });
  return taken;
}

async function pull(job: PullJob): Promise<PullResult> {
  const failures: Record<string, number> = {};
  const firstByteMs: number[] = [];
  let bytes = 0;
  let complete = 0;
  if (job.warmUp === true)
    await pullInTurn(job, ['/v2/', '/v2/', '/v2/', '/v2/', '/v2/'].values(), () => undefined);
  const begun = performance.now();
  const client = async (): Promise<void> => {
    const start = performance.now();
    let first = true;
    const failure = await pullAll(job, (count) => {
      bytes += count;
      if (first) firstByteMs.push(performance.now() - start);
      first = false;
    });
    if (failure === undefined) complete += 1;
    else failures[failure] = (failures[failure] ?? 0) + 1;
  };
  await Promise.all(Array.from({ length: job.connections }, client));
  return { bytes, seconds: (performance.now() - begun) / 1000, firstByteMs, complete, failures };
}

/** One client's pull; resolves to why it failed. */
async function pullAll(job: PullJob, took: (bytes: number) => void): Promise<string | undefined> {
  const { paths, atOnce } = job;
  if (atOnce === undefined) return pullInTurn(job, paths.values(), took);
  const failure = await pullInTurn(job, paths.slice(0, 1).values(), took);
  if (failure !== undefined) return failure;
  const rest = paths.slice(1).values();
  const pulls = Array.from({ length: atOnce }, () => pullInTurn(job, rest, took));
  return (await Promise.all(pulls)).find((each) => each !== undefined);
}

/** Takes paths until there are no more, over one connection. */
function pullInTurn(
  job: PullJob,
  paths: Iterator<string, undefined>,
  took: (bytes: number) => void,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let status = 0;
    const finish = (reason: string | undefined): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(reason);
    };
    const ask = (): void => {
      const path = paths.next().value;
      if (path === undefined) finish(undefined);
      else socket.write(requestText(job, path));
    };
    const socket = open(job, {
      head(code) {
        status = code;
      },
      body: took,
      end() {
        if (status === 200) ask();
        else finish(`status ${status}`);
      },
    });
    const late = setTimeout(
      () => finish(job.stopAfterMs === undefined ? 'timeout' : 'stopped'),
      job.stopAfterMs ?? job.timeoutMs,
    );
    socket.on('error', (error) => finish(error.message));
    socket.on('close', () => finish('closed early'));
    socket.once(job.tls ? 'secureConnect' : 'connect', ask);
  });
}

// Started by `load-job.ts` on the load's core.
if (import.meta.main) {
  const job = JSON.parse(process.argv[2] ?? '') as AnyJob;
  process.stdout.write(`${JSON.stringify(await carryOut(job))}\n`);
  process.exit();
}

function carryOut(job: AnyJob): Promise<unknown> {
  if (job.kind === 'pull') return pull(job);
  return job.kind === 'latency' ? latencies(job) : throughput(job);
}
