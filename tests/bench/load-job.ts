import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { accept } from './client-accept.ts';
import type { Processes } from './processes.ts';

interface Job {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly connections: number;
  /** The header's value, of requests and not of blobs. */
  readonly authorization?: string;
}

/** Every connection asks again and again until the time is over. */
export interface ThroughputJob extends Job {
  readonly kind: 'throughput';
  readonly path: string;
  readonly durationMs: number;
}

/**
 * Every client asks for all paths, one after another, on one connection made for it; all clients begin at the same moment.
 * With `atOnce` the first path is asked for alone, then the others in their order over so many connections.
 */
export interface PullJob extends Job {
  readonly kind: 'pull';
  readonly paths: readonly string[];
  readonly timeoutMs: number;
  readonly atOnce?: number;
  /** One request for `/v2/` on a connection of its own first, so that the client's own first steps are not measured. */
  readonly warmUp?: boolean;
  /** Ends each client after this time, whole or not. */
  readonly stopAfterMs?: number;
}

/** One connection that asks again so long after each answer: how long answers take where the server has time left. */
export interface LatencyJob extends Omit<Job, 'connections'> {
  readonly kind: 'latency';
  readonly path: string;
  readonly requests: number;
  readonly pauseMs: number;
}

export interface ThroughputResult {
  /** Of bodies. */
  readonly bytes: number;
  readonly seconds: number;
  /** Answers begun; absent from the client that reads blobs. */
  readonly responses?: number;
}

export interface PullResult {
  readonly bytes: number;
  readonly seconds: number;
  /** From the beginning of the connect to the first byte of the first body, in the order of arrival. */
  readonly firstByteMs: readonly number[];
  /** Clients that got all they asked for, with status 200 and to the last byte. */
  readonly complete: number;
  /** Status lines other than 200, and connections that broke, each once with its count. */
  readonly failures: Readonly<Record<string, number>>;
}

const nodeLoad = fileURLToPath(new URL('./load.ts', import.meta.url));
const discard = fileURLToPath(new URL('./discard.py', import.meta.url));

/** The client that reads blobs: the cheaper one where Python is there. */
export const blobClient: 'python MSG_TRUNC' | 'node' =
  process.platform === 'linux' && spawnSync('python3', ['-c', 'import ssl']).status === 0
    ? 'python MSG_TRUNC'
    : 'node';

export async function measureThroughput(
  processes: Processes,
  job: Omit<ThroughputJob, 'kind'>,
): Promise<ThroughputResult> {
  const text = JSON.stringify({ kind: 'throughput', ...job });
  const [command, argv] =
    blobClient === 'node' ? [process.execPath, [nodeLoad, text]] : ['python3', [discard, text]];
  return run(processes, command, argv, job.durationMs + 20_000) as Promise<ThroughputResult>;
}

/** Milliseconds from each request to the last byte of its answer. */
export async function measureLatencies(
  processes: Processes,
  job: Omit<LatencyJob, 'kind'>,
): Promise<readonly number[]> {
  const text = JSON.stringify({ kind: 'latency', ...job });
  const timeoutMs = 60_000 + job.requests * job.pauseMs;
  return run(processes, process.execPath, [nodeLoad, text], timeoutMs) as Promise<
    readonly number[]
  >;
}

export async function measurePull(
  processes: Processes,
  job: Omit<PullJob, 'kind'>,
): Promise<PullResult> {
  const text = JSON.stringify({ kind: 'pull', ...job });
  return run(
    processes,
    process.execPath,
    [nodeLoad, text],
    job.timeoutMs + 10_000,
  ) as Promise<PullResult>;
}

/** Pushes of an own connection each, all beginning at the same moment; names of blobs are made before it. */
export interface PushJob {
  readonly host: string;
  readonly port: number;
  readonly authorization?: string;
  readonly pushes: readonly Push[];
  readonly timeoutMs: number;
}

/** An image under its tag; with `only` nothing but its first layer. */
export interface Push {
  readonly repository: string;
  readonly tag: string;
  readonly layers: readonly { readonly seed: string; readonly size: number }[];
  readonly only?: 'blob' | 'chunked blob';
}

export interface PushResult {
  readonly seconds: number;
}

const pushLoad = fileURLToPath(new URL('./push-load.ts', import.meta.url));

export async function measurePush(processes: Processes, job: PushJob): Promise<PushResult> {
  const argv = [pushLoad, JSON.stringify(job)];
  return run(processes, process.execPath, argv, job.timeoutMs) as Promise<PushResult>;
}

const wrkThere: boolean = spawnSync('wrk', ['--version']).error === undefined;

/** The client that asks for manifests. */
export const requestClient: 'wrk' | 'node' = wrkThere ? 'wrk' : 'node';

/** Requests a second on warm keep-alive connections. */
export async function measureRequests(
  processes: Processes,
  job: Omit<ThroughputJob, 'kind'>,
): Promise<number> {
  if (requestClient === 'node') {
    const text = JSON.stringify({ kind: 'throughput', ...job });
    const output = await run(
      processes,
      process.execPath,
      [nodeLoad, text],
      job.durationMs + 20_000,
    );
    const { responses = 0, seconds } = output as ThroughputResult;
    return responses / seconds;
  }
  const scheme = job.tls ? 'https' : 'http';
  const argv = [
    '-t1',
    `-c${job.connections}`,
    `-d${Math.max(1, Math.round(job.durationMs / 1000))}s`,
    '-H',
    `Accept: ${accept}`,
    ...(job.authorization === undefined ? [] : ['-H', `Authorization: ${job.authorization}`]),
    `${scheme}://${job.host}:${job.port}${job.path}`,
  ];
  const child = processes.spawn({
    name: 'wrk',
    role: 'load',
    command: 'wrk',
    arguments: argv,
    capture: true,
  });
  const text = await child.output(job.durationMs + 20_000);
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: .*/.exec(text);
  if (failed !== null) throw new Error(`wrk: ${failed[0]}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
}

const wrkUnits: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

/** Bytes a second that `wrk` reads, headers too; it copies each, so that it is half of what is measured. Only where `wrk` is. */
export async function measureWrkBytes(
  processes: Processes,
  job: Pick<ThroughputJob, 'host' | 'port' | 'path' | 'connections' | 'durationMs'>,
): Promise<ThroughputResult> {
  const child = processes.spawn({
    name: 'wrk',
    role: 'load',
    command: 'wrk',
    arguments: [
      '-t1',
      `-c${job.connections}`,
      `-d${Math.max(1, Math.round(job.durationMs / 1000))}s`,
      `http://${job.host}:${job.port}${job.path}`,
    ],
    capture: true,
  });
  const text = await child.output(job.durationMs + 20_000);
  const [, seconds, amount, unit = ''] =
    /requests in ([\d.]+)s, ([\d.]+)([KMG]?B) read/.exec(text) ?? [];
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: .*/.exec(text);
  if (failed !== null || seconds === undefined) throw new Error(`wrk: ${failed?.[0] ?? text}`);
  return { bytes: Number(amount) * (wrkUnits[unit] ?? Number.NaN), seconds: Number(seconds) };
}

async function run(
  processes: Processes,
  command: string,
  argv: readonly string[],
  timeoutMs: number,
): Promise<unknown> {
  const child = processes.spawn({
    name: 'load',
    role: 'load',
    command,
    arguments: argv,
    capture: true,
  });
  return JSON.parse(await child.output(timeoutMs));
}
