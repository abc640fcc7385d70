// A client that leaves within the body of a push is nobody's failure: 499 in the log and the metrics, over every transport and framing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as plainRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect as connectPlain } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { freshRepository } from '../support/clients/registry-client.ts';
import {
  basicOf,
  requestsInFlight,
  rulesOnly,
  startBreakwater,
} from '../support/processes/breakwater.ts';
import type { Breakwater } from '../support/processes/breakwater.ts';
import { createTestAuthority } from '../support/samples/certificates.ts';
import { until } from '../support/rigs/until.ts';
import { digestOf } from '../support/samples/digest.ts';

interface Place {
  readonly breakwater: Breakwater;
  readonly secure: boolean;
}

type Leaving = (socket: Socket, raw: Socket) => void;

const framings: readonly (readonly [name: string, header: string, begun: string])[] = [
  ['Content-Length', 'Content-Length: 1000', 'begun'],
  ['whole chunks', 'Transfer-Encoding: chunked', '5\r\nbegun\r\n'],
  ['a broken chunk', 'Transfer-Encoding: chunked', '400\r\nbegun'],
  ['nothing yet', 'Content-Length: 1000', ''],
  ['100 Continue', 'Expect: 100-continue\r\nContent-Length: 1000', ''],
  ['some MiB', 'Content-Length: 67108864', 'x'.repeat(3_500_000)],
  ['some MiB in a chunk', 'Transfer-Encoding: chunked', `4000000\r\n${'x'.repeat(3_500_000)}`],
];

const leavings: readonly (readonly [name: string, leave: Leaving])[] = [
  ['closes', (socket) => socket.end()],
  ['resets', (_socket, raw) => raw.resetAndDestroy()],
];

let folder: string;
const places = new Map<string, Place>();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bw-left-'));
  const authority = await createTestAuthority();
  const pair = await authority.issue(['127.0.0.1']);
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await writeFile(tls.certFile, pair.cert);
  await writeFile(tls.keyFile, pair.key, { mode: 0o600 });
  const plain = await startBreakwater({ config: rulesOnly() });
  places.set('plain HTTP', { breakwater: plain, secure: false });
  const secure = await startBreakwater({ config: { ...rulesOnly(), tls } });
  places.set('TLS', { breakwater: secure, secure: true });
});
after(async () => {
  for (const { breakwater } of places.values()) await breakwater.close();
  await rm(folder, { recursive: true, force: true });
});

/** Begins an upload and answers its path. */
async function begin({ breakwater, secure }: Place, repository: string): Promise<string> {
  const headers = { authorization: await basicOf(breakwater) };
  const url = new URL(`/v2/${repository}/blobs/uploads/`, breakwater.url);
  const sent = (secure ? secureRequest : plainRequest)(url, {
    method: 'POST',
    headers,
    ...(secure ? { rejectUnauthorized: false } : {}),
  }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  const { pathname, search } = new URL(answer.headers.location ?? '', breakwater.url);
  return pathname + search;
}

async function leave(
  { breakwater, secure }: Place,
  head: string,
  [, framing, begun]: (typeof framings)[number],
  goAway: Leaving,
): Promise<void> {
  const { hostname, port } = new URL(breakwater.url);
  const raw = connectPlain(Number(port), hostname);
  await once(raw, 'connect');
  const socket: Socket | TLSSocket = secure
    ? connectTls({ socket: raw, rejectUnauthorized: false })
    : raw;
  for (const each of [raw, socket]) each.on('error', () => undefined);
  if (secure) await once(socket, 'secureConnect');
  socket.resume();
  const authorization = await basicOf(breakwater);
  socket.write(
    `${head} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: ${authorization}\r\n${framing}\r\nContent-Type: application/json\r\n\r\n${begun}`,
  );
  const inFlight = (): Promise<number> => requestsInFlight(breakwater);
  await until(async () => (await inFlight()) === 1, 'the request is being answered');
  goAway(socket, raw);
  if (!raw.destroyed) await once(raw, 'close');
  await until(async () => (await inFlight()) === 0, 'the server has seen it');
}

for (const transport of ['plain HTTP', 'TLS']) {
  suite(`a client that leaves within a push over ${transport} is 499`, () => {
    for (const framing of framings) {
      for (const [how, goAway] of leavings) {
        test(`after ${framing[0]}, and ${how}`, async () => {
          const place = places.get(transport);
          assert.ok(place);
          const { breakwater } = place;
          const repository = freshRepository();
          const digest = digestOf('x');
          const heads = [
            `POST /v2/${repository}/blobs/uploads/?digest=${digest}`,
            `PATCH ${await begin(place, repository)}`,
            `PUT ${await begin(place, repository)}?digest=${digest}`,
            `PUT /v2/${repository}/manifests/v1`,
            'POST /v2/token',
            'POST /api/v1/repositories',
            // What is not a blob is not read as far.
          ].slice(0, framing[2].length > 1000 ? 3 : undefined);
          const seen = breakwater.logs().length;
          for (const head of heads) await leave(place, head, framing, goAway);
          await until(() => {
            const left =
              breakwater
                .logs()
                .slice(seen)
                .match(/"complete":false/g) ?? [];
            return left.length >= heads.length;
          }, 'each is in the access log');
          const lines = (await breakwater.settledLogs()).slice(seen).split('\n');
          const entries = lines
            .filter((line) => line.endsWith('}'))
            .map((line) => JSON.parse(line) as Record<string, unknown>);
          const left = entries.filter((entry) => entry['complete'] === false);
          assert.deepEqual(
            left.map((entry) => `${String(entry['method'])} ${String(entry['status'])}`),
            heads.map((head) => `${head.split(' ')[0]} 499`),
          );
          assert.deepEqual(
            entries.filter((entry) => entry['level'] === 'error' || entry['level'] === 'warn'),
            [],
          );
          const metrics = await (await fetch(`${breakwater.adminUrl}/metrics`)).text();
          assert.doesNotMatch(metrics, /http_requests_total\{.*code="5\d\d"/);
        });
      }
    }
  });
}
