// Many clients that send long calls at once and then stand still: what they hold in memory is bounded, the others are told to come back.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { callEcr, signEcrCall } from '../bench/aws-call.ts';
import { credentialsOf, startBreakwater } from '../support/processes/breakwater.ts';
import { until } from '../support/rigs/until.ts';

const mebibyte = 1024 * 1024;
const clients = 16;
const part = 20 * mebibyte;

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

interface Sent {
  readonly outgoing: ClientRequest;
  readonly rest: string;
  /** Code of the error that was answered; `cut`: none was. */
  readonly code: Promise<string>;
  isOver: boolean;
}

async function codeOf(outgoing: ClientRequest): Promise<string> {
  try {
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    return (JSON.parse(await text(answer)) as { readonly __type: string }).__type;
  } catch {
    return 'cut';
  }
}

test('calls hold 128 MiB together: of those that begin at once as many as fit are served and the others told ThrottlingException, short calls go on, and who comes again is served.', async (t) => {
  const breakwater = await startBreakwater();
  t.after(() => breakwater.close());
  const { hostname: host, port } = new URL(breakwater.url);
  const { key: accessKeyId, secret: secretAccessKey } = await credentialsOf(breakwater);
  const keys = { accessKeyId, secretAccessKey };
  const system = { host, port: Number(port) };
  await callEcr(system, keys, 'CreateRepository', { repositoryName: 'team/app' });
  const { headers, body } = await signEcrCall(system, keys, 'UploadLayerPart', {
    repositoryName: 'team/app',
    uploadId: '00000000-0000-4000-8000-000000000000',
    partFirstByte: 0,
    partLastByte: part - 1,
    layerPartBlob: Buffer.alloc(part).toString('base64'),
  });
  const before = await residentBytes(breakwater.pid);
  const sent = Array.from({ length: clients }, (_, index): Sent => {
    const outgoing = request({
      host,
      port,
      method: 'POST',
      path: '/',
      localAddress: `127.0.1.${index + 1}`,
      headers: { ...headers, 'content-length': body.length },
    });
    const each = { outgoing, rest: body.slice(part), code: codeOf(outgoing), isOver: false };
    void each.code.then(() => (each.isOver = true));
    outgoing.write(body.slice(0, part));
    return each;
  });
  await until(() => sent.some(({ isOver }) => isOver), 'one of them is refused');
  const { repositories } = await callEcr(system, keys, 'DescribeRepositories', {});
  assert.equal((repositories as unknown[]).length, 1);
  for (const each of sent) if (!each.isOver) each.outgoing.end(each.rest);
  const codes = await Promise.all(sent.map(({ code }) => code));
  const grown = (await residentBytes(breakwater.pid)) - before;
  const count = (wanted: string): number => codes.filter((code) => code === wanted).length;
  const served = Math.floor((128 * mebibyte) / body.length);
  assert.deepEqual(
    [count('UploadNotFoundException'), count('ThrottlingException')],
    [served, clients - served],
    codes.join(' '),
  );
  // As SDKs do: beside nobody there is room.
  const again = request({ host, port, method: 'POST', path: '/', headers });
  const code = codeOf(again);
  again.end(body);
  assert.equal(await code, 'UploadNotFoundException');
  assert.ok(grown < 440 * mebibyte, `${grown / mebibyte} MiB more`);
});
