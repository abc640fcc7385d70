import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import {
  freshRepository,
  startRegistryClient,
} from '../../tests/support/clients/registry-client.ts';
import type { RegistryClient } from '../../tests/support/clients/registry-client.ts';
import { basicOf, requestsInFlight } from '../../tests/support/processes/breakwater.ts';
import { until } from '../../tests/support/rigs/until.ts';
import type { Explanation } from '../contract/explanation.ts';
import { digestOf } from '../../tests/support/samples/digest.ts';

/** An upstream that has the tag v1 in every repository, and nothing else. */
const upstream = createServer((request, response) => {
  response.statusCode = request.url?.includes('/tags/list') === true ? 200 : 404;
  response.end('{"name":"app","tags":["v1"]}');
});
let client: RegistryClient;

before(async () => {
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo;
  const rule = { prefix: 'up', upstream: `http://127.0.0.1:${String(port)}`, push: true };
  client = await startRegistryClient({ rules: [rule] });
});
after(async () => {
  upstream.close();
  await client[Symbol.asyncDispose]();
});

test('explain says of a pushed tag that it hides the upstream’s of the same name', async () => {
  await client.pushManifest('up/app', await client.image('up/app'), { reference: 'v1' });
  const explain = async (): Promise<Explanation> => {
    const answer = await client.ask('GET', '/api/v1/explain?image=up/app:v1');
    return JSON.parse(answer.text) as Explanation;
  };
  const before = await explain();
  assert.deepEqual([before.tag?.provenance, before.tag?.freshUntil], ['pushed', null]);
  assert.doesNotMatch(before.verdict.text, /hides/);
  const list = await client.ask('GET', '/v2/up/app/tags/list');
  assert.equal(list.status, 200, list.text);
  assert.match((await explain()).verdict.text, /hides the upstream’s tag of the same name/);
});

/** Sends the head of a request and the first bytes of its body, and leaves. */
async function leave(head: string, how: 'end' | 'resetAndDestroy'): Promise<void> {
  const { hostname, port } = new URL(client.breakwater.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const authorization = await basicOf(client.breakwater);
  const fields = `Host: ${hostname}\r\nAuthorization: ${authorization}\r\nContent-Length: 1000\r\nContent-Type: application/json`;
  socket.write(`${head} HTTP/1.1\r\n${fields}\r\n\r\nbegun`);
  // The server is to be reading the body.
  const inFlight = (): Promise<number> => requestsInFlight(client.breakwater);
  await until(async () => (await inFlight()) === 1, 'the body is being received');
  socket.on('error', () => undefined).resume();
  socket[how]();
  await once(socket, 'close');
  await until(async () => (await inFlight()) === 0, 'the server has seen it');
}

for (const how of ['end', 'resetAndDestroy'] as const) {
  test(`a client that leaves within a body is no failure of ours: ${how}`, async () => {
    const repository = freshRepository();
    const digest = digestOf('x');
    const upload = async (): Promise<string> => {
      const { pathname, search } = new URL(await client.begin(repository), client.breakwater.url);
      return pathname + search;
    };
    const heads = [
      `POST /v2/${repository}/blobs/uploads/?digest=${digest}`,
      `PATCH ${await upload()}`,
      `PUT ${await upload()}?digest=${digest}`,
      `PUT /v2/${repository}/manifests/v1`,
      `POST /api/v1/repositories`,
    ];
    const seen = client.breakwater.logs().length;
    for (const head of heads) await leave(head, how);
    await until(() => {
      const left =
        client.breakwater
          .logs()
          .slice(seen)
          .match(/"complete":false/g) ?? [];
      return left.length >= heads.length;
    }, 'each is in the access log');
    const lines = (await client.breakwater.settledLogs()).slice(seen).split('\n');
    const entries = lines
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      entries.filter((entry) => entry['complete'] === false).map((entry) => entry['status']),
      heads.map(() => 499),
    );
    assert.deepEqual(
      entries.filter((entry) => entry['level'] === 'error'),
      [],
    );
    const metrics = await (await fetch(`${client.breakwater.adminUrl}/metrics`)).text();
    assert.match(metrics, /http_requests_total\{.*code="499"/);
    assert.doesNotMatch(metrics, /http_requests_total\{.*code="5\d\d"/);
  });
}
