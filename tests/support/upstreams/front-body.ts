// The body of a front's answer: paced by the wall clock, and broken where a fault says so.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Wrong } from './front-behaviour.ts';

interface Sent {
  bytes: number;
}

/** Sends the registry's body on; the answer's head is out already. Returns when the answer is over. */
export async function sendBody(
  from: IncomingMessage,
  response: ServerResponse,
  sent: Sent,
  bytesPerSecond: number,
  wrong: Wrong | undefined,
): Promise<void> {
  const cut = cutOf(wrong);
  for await (const part of from as AsyncIterable<Buffer>) {
    let chunk = part;
    if (wrong !== undefined && 'corruptAt' in wrong)
      chunk = corrupted(chunk, sent.bytes, wrong.corruptAt);
    const last = cut !== undefined && sent.bytes + chunk.length >= cut.at;
    if (last) chunk = chunk.subarray(0, cut.at - sent.bytes);
    if (!(await send(chunk, response, sent, bytesPerSecond))) return;
    if (last) return await endBadly(response, cut.how);
  }
  if (wrong !== undefined && 'appendBytes' in wrong) {
    await send(Buffer.alloc(wrong.appendBytes), response, sent, bytesPerSecond);
  }
  if (wrong !== undefined && 'endless' in wrong) {
    const zeros = Buffer.alloc(65_536);
    while (await send(zeros, response, sent, bytesPerSecond)) continue;
    return;
  }
  response.end();
}

type Ending = 'truncate' | 'end' | 'stall' | 'reset';

function cutOf(
  wrong: Wrong | undefined,
): { readonly at: number; readonly how: Ending } | undefined {
  if (wrong === undefined) return undefined;
  if ('truncateAt' in wrong) return { at: wrong.truncateAt, how: 'truncate' };
  if ('endAt' in wrong) return { at: wrong.endAt, how: 'end' };
  if ('stallAt' in wrong) return { at: wrong.stallAt, how: 'stall' };
  if ('resetAt' in wrong) return { at: wrong.resetAt, how: 'reset' };
  return undefined;
}

async function endBadly(response: ServerResponse, how: Ending): Promise<void> {
  if (response.destroyed) return;
  if (how === 'end') {
    response.end();
    return;
  }
  if (how === 'stall') {
    await once(response, 'close');
    return;
  }
  // What was written goes out before the connection ends, so that offsets mean what they say.
  const { promise, resolve } = Promise.withResolvers<void>();
  if (response.socket === null || response.writableLength === 0) resolve();
  else response.write('', () => resolve());
  response.once('close', () => resolve());
  await promise;
  if (how === 'reset') response.socket?.resetAndDestroy();
  else response.socket?.end(() => response.destroy());
}

function corrupted(chunk: Buffer, start: number, at: number): Buffer {
  const index = at - start;
  if (index < 0 || index >= chunk.length) return chunk;
  const copy = Buffer.from(chunk);
  copy[index] = (copy[index] ?? 0) ^ 0xff;
  return copy;
}

const burstMs = 20;
const sliceBytes = 65_536;
/** When a connection may send its next byte. */
const freeAt = new WeakMap<Socket, number>();

/** False when the client has gone. */
async function send(
  chunk: Buffer,
  response: ServerResponse,
  sent: Sent,
  bytesPerSecond: number,
): Promise<boolean> {
  const step = bytesPerSecond > 0 ? sliceBytes : Math.max(chunk.length, 1);
  for (let offset = 0; offset < chunk.length; offset += step) {
    const slice = chunk.subarray(offset, offset + step);
    if (bytesPerSecond > 0) await waitForTurn(response.socket, slice.length, bytesPerSecond);
    if (response.destroyed) return false;
    sent.bytes += slice.length;
    if (response.write(slice)) continue;
    await drained(response);
    if (response.destroyed) return false;
  }
  return !response.destroyed;
}

async function waitForTurn(socket: Socket | null, bytes: number, rate: number): Promise<void> {
  if (socket === null) return;
  const now = performance.now();
  // A late timer is made good, up to the burst.
  const turn = Math.max(freeAt.get(socket) ?? now, now - burstMs);
  freeAt.set(socket, turn + (bytes / rate) * 1000);
  if (turn - now >= 1) await delay(turn - now);
}

async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('drain', resolve);
  response.once('close', resolve);
  await promise;
  response.off('drain', resolve);
  response.off('close', resolve);
}
