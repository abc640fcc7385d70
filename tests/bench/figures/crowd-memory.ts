import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { administratorOf } from '../administrator.ts';
import { reading } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';
import { peakResidentBytes } from '../processes.ts';
import type { System } from '../systems/system.ts';
import { mebibyte, publishCold, pullWhole, settle } from './cold-blob.ts';

/** A quick run has a twentieth of it. */
const fullCrowd = { readers: 1000, pushers: 400, subjects: 10_000 } as const;
type Crowd = { readonly [who in keyof typeof fullCrowd]: number };
const atOnce = 50;
/** What a stalled push sends: not quite a block. */
const pushedBytes = mebibyte - 1024;
const goodPulls = 10;

/**
 * A crowd that takes memory and gives nothing back: clients that stop reading a blob, clients that stop sending one, and
 * one that asks for the referrers of ever new digests, while another pulls.
 */
export const crowdMemory: Figure = {
  name: 'memory-crowd',
  async measure(bench) {
    const part = bench.quick ? 20 : 1;
    const crowdSize: Crowd = {
      readers: fullCrowd.readers / part,
      pushers: fullCrowd.pushers / part,
      subjects: fullCrowd.subjects / part,
    };
    const peaks: number[] = [];
    const slowest: number[] = [];
    for (let run = 0; run < (bench.quick ? 1 : bench.runs); run += 1) {
      const name = `memory-crowd-${run}`;
      const folder = bench.folder(name);
      const system = await bench.startBreakwater(name);
      const { layer } = await publishCold(bench, 60 * mebibyte);
      const path = system.path('bench/cold', `blobs/${layer.digest}`);
      await pullWhole(bench, system, [path]);
      await settle(system);
      const crowd = [
        ...(await stallReaders(system, path, crowdSize.readers)),
        ...(await stallPushers(system, administratorOf(folder), crowdSize.pushers)),
      ];
      const asked = askSubjects(system, crowdSize.subjects);
      const seconds: number[] = [];
      for (let pull = 0; pull < goodPulls; pull += 1) {
        seconds.push((await pullWhole(bench, system, [path])).seconds);
        await delay(500);
      }
      await asked;
      peaks.push(peakResidentBytes(system.pid) / 1e6);
      slowest.push(Math.max(...seconds));
      for (const socket of crowd) socket.destroy();
      await system.stop();
    }
    const notes = [
      `${crowdSize.readers} clients that stop reading, ${crowdSize.pushers} that stop sending, ${crowdSize.subjects} distinct subjects, all from one address`,
    ];
    return [
      rowOf('Peak resident memory in a crowd that takes without giving', 'MB', peaks, 400, notes),
      rowOf("A good client's warm 60 MiB blob meanwhile", 's', slowest, 2, [
        `the slowest of ${goodPulls}`,
      ]),
    ];
  },
};

function rowOf(
  title: string,
  unit: string,
  samples: readonly number[],
  atMost: number,
  notes: readonly string[],
): Row {
  const read = reading('breakwater', samples);
  const ratio = {
    what: 'breakwater, the median of the runs',
    value: read.median,
    goal: { atMost },
  };
  return { title, unit, readings: [read], ratios: [ratio], notes };
}

async function stallReaders(system: System, path: string, readers: number): Promise<Socket[]> {
  const head = `GET ${path} HTTP/1.1\r\nHost: ${system.host}:${system.port}\r\n\r\n`;
  const sockets: Socket[] = [];
  await several(readers, async () => void sockets.push(await stall(system, [head])));
  return sockets;
}

async function stallPushers(
  system: System,
  authorization: string,
  pushers: number,
): Promise<Socket[]> {
  const body = Buffer.alloc(pushedBytes);
  const sockets: Socket[] = [];
  await several(pushers, async (n) => {
    const location = await beginUpload(system, authorization, `bench/stalled-${n}`);
    const head =
      `PATCH ${location} HTTP/1.1\r\nHost: ${system.host}:${system.port}\r\nAuthorization: ${authorization}\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Length: ${mebibyte}\r\n\r\n`;
    sockets.push(await stall(system, [head, body]));
  });
  return sockets;
}

/** Some at a time: more would not fit into the queue of connections that the system keeps for a server. */
async function several(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}

/** Sends, and from then on neither reads nor sends. */
function stall({ host, port }: System, parts: readonly (string | Buffer)[]): Promise<Socket> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const socket = connect(port, host, () => {
    socket.pause();
    for (const part of parts) socket.write(part);
    resolve(socket);
  });
  socket.on('error', () => resolve(socket));
  return promise;
}

function beginUpload(system: System, authorization: string, repository: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const { host, port } = system;
  const path = `/v2/${repository}/blobs/uploads/`;
  const headers = { authorization, 'content-length': '0' };
  const sent = request({ host, port, path, method: 'POST', headers, agent: false }, (answer) => {
    answer.resume();
    const { location } = answer.headers;
    if (answer.statusCode !== 202 || location === undefined)
      reject(new Error(`an upload was answered ${answer.statusCode}`));
    else resolve(URL.parse(location, `http://${host}:${port}`)?.pathname ?? location);
  });
  sent.on('error', reject).end();
  return promise;
}

/** Each digest once; whatever is answered. */
async function askSubjects(system: System, subjects: number): Promise<void> {
  await several(subjects, async (n) => {
    const digest = createHash('sha256').update(`subject ${n}`).digest('hex');
    const path = system.path('bench/cold', `referrers/sha256:${digest}`);
    const answer = await fetch(`http://${system.host}:${system.port}${path}`);
    await answer.arrayBuffer();
  });
}
