import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as requestPlain } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as requestSecure } from 'node:https';
import { connect, Socket } from 'node:net';
import { after, before, beforeEach, suite, test } from 'node:test';
import { connect as connectSecure } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { createTestAuthority } from '../../../tests/support/samples/certificates.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { createBodyBuffers } from '../bodies/body-buffers.ts';
import { bufferBytesMax } from '../bodies/buffers.ts';
import { handshakeRefusal } from './refused-connection.ts';
import type { RefusedConnection } from './refused-connection.ts';
import { createServer } from '../server.ts';
import type { RunningServer, TlsPair } from '../server.ts';

let secure: RunningServer;
let plain: RunningServer;
let ca = '';
const told: RefusedConnection[] = [];

async function listen(tls?: TlsPair): Promise<RunningServer> {
  const clock = createFakeClock();
  return await createServer({
    handler: () => ({ status: 200, headers: {}, body: 'served', note: { route: 'none' } }),
    listen: { host: '127.0.0.1', port: 0 },
    ...(tls === undefined ? {} : { tls }),
    connectionsMax: 2,
    buffers: createBodyBuffers(bufferBytesMax, clock),
    timer: clock,
    onRefused: (refused) => told.push(refused),
  });
}

before(async () => {
  const authority = await createTestAuthority();
  ca = authority.ca;
  secure = await listen(await authority.issue(['127.0.0.1']));
  plain = await listen();
});
after(async () => {
  await secure.cut();
  await plain.cut();
});
beforeEach(() => void (told.length = 0));

/** Whatever went wrong before. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** A TLS client that fails; resolves once its socket is gone. */
async function shake(port: number, options: ConnectionOptions): Promise<void> {
  const socket = connectSecure({ host: '127.0.0.1', port, ca, ...options });
  socket.on('error', () => undefined);
  await closed(socket);
}

async function send(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (part: Buffer) => (answer += part.toString()));
  socket.on('error', () => undefined);
  socket.write(bytes);
  await closed(socket);
  return answer;
}

const get = 'GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n';

suite('a connection that comes to nothing is told with why', () => {
  for (const [name, act, reason, message] of [
    [
      'a client with an older TLS',
      () =>
        shake(secure.port, {
          maxVersion: 'TLSv1.1',
          minVersion: 'TLSv1',
          ciphers: 'ALL:@SECLEVEL=0',
        }),
      'tlsVersion',
      /unsupported protocol/,
    ],
    [
      'a client without a cipher in common',
      () =>
        shake(secure.port, {
          maxVersion: 'TLSv1.2',
          ciphers: 'AES128-SHA',
        }),
      'tlsVersion',
      /no shared cipher/,
    ],
    ['plain HTTP to the TLS port', () => send(secure.port, get), 'plainHttp', /http request/],
    [
      'a plain CONNECT to the TLS port',
      () => send(secure.port, 'CONNECT x:443 HTTP/1.1\r\n\r\n'),
      'plainHttp',
      /https proxy request/,
    ],
    ['noise to the TLS port', () => send(secure.port, 'SSH-2.0-x\r\n'), 'noise', /./],
    ['TLS to the plain port', () => shake(plain.port, {}), 'tls', /handshake/],
  ] as const satisfies readonly (readonly [string, () => Promise<unknown>, string, RegExp])[])
    test(`${name}: ${reason}`, async () => {
      await act();
      const [refused] = await until(() => told.length > 0 && told, 'it is told');
      assert.deepEqual([refused?.reason, refused?.clientAddress], [reason, '127.0.0.1']);
      assert.match(refused?.message ?? '', message);
    });

  test('the address of a client that has left meanwhile is known', async () => {
    for (let round = 0; round < 20; round += 1) {
      const socket = connect(secure.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.end('SSH-2.0-x\r\n');
      socket.resume();
      await closed(socket);
    }
    await until(() => told.length === 20, 'each is told');
    assert.ok(told.every(({ clientAddress }) => clientAddress === '127.0.0.1'));
  });

  test('more than may be open: full', async () => {
    const held = [1, 2, 3].map(() => connect(plain.port, '127.0.0.1').on('error', () => undefined));
    const [refused] = await until(() => told.length > 0 && told, 'it is told');
    assert.deepEqual([refused?.reason, refused?.clientAddress], ['full', '127.0.0.1']);
    for (const socket of held) socket.destroy();
  });

  for (const [name, port] of [
    ['TLS', () => secure.port],
    ['plain', () => plain.port],
  ] as const)
    test(`a look at whether the ${name} port is open is nothing to tell`, async () => {
      const socket = connect(port(), '127.0.0.1');
      await once(socket, 'connect');
      socket.destroy();
      await send(plain.port, 'nonsense\r\n\r\n');
      assert.deepEqual(told, []);
    });

  test('plain HTTP to the TLS port is answered in words, in the form of the registry', async () => {
    const sent = requestPlain({
      host: '127.0.0.1',
      port: secure.port,
      path: '/v2/',
      agent: new Agent(),
    });
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of answer) text += String(part);
    assert.equal(answer.statusCode, 400);
    assert.match(
      (JSON.parse(text) as { errors: { message: string }[] }).errors[0]?.message ?? '',
      /^this port speaks TLS: .*https:\/\//,
    );
  });

  test('those that are set up rightly are served before and after', async () => {
    const sent = requestSecure({ host: '127.0.0.1', port: secure.port, ca, agent: false });
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(told, []);
  });
});

for (const alert of ['BAD_CERTIFICATE', 'CERTIFICATE_UNKNOWN', 'CERTIFICATE_EXPIRED'])
  for (const prefix of ['SSL/TLS', 'SSLV3'])
    test(`a client that does not accept the certificate, as Go's say it: ${prefix} ${alert}`, () => {
      const error = Object.assign(new Error('x'), { code: `ERR_SSL_${prefix}_ALERT_${alert}` });
      assert.equal(handshakeRefusal(error, new Socket())?.reason, 'certificate');
    });
