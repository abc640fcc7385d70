import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { Agent, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { createTestAuthority } from '../../tests/support/samples/certificates.ts';
import type { TestAuthority } from '../../tests/support/samples/certificates.ts';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { createBodyBuffers } from './bodies/body-buffers.ts';
import { bufferBytesMax } from './bodies/buffers.ts';
import type { Handler } from './reply.ts';
import { createServer } from './server.ts';
import type { RunningServer, TlsPair } from './server.ts';

const note = { route: 'none' };
let authority: TestAuthority;
let first: TlsPair;
let second: TlsPair;
let server: RunningServer;

const handler: Handler = async ({ method, secure, body }) => {
  if (method === 'PUT') return { status: 413, headers: {}, body: 'too large', note };
  for await (const chunk of body) ok(chunk.length > 0);
  return { status: 200, headers: {}, body: String(secure), note };
};

function listen(tls?: TlsPair, handshakeMs?: number): Promise<RunningServer> {
  const clock = createFakeClock();
  return createServer({
    handler,
    listen: { host: '127.0.0.1', port: 0 },
    ...(tls === undefined ? {} : { tls }),
    ...(handshakeMs === undefined ? {} : { handshakeMs }),
    connectionsMax: 20,
    buffers: createBodyBuffers(bufferBytesMax, clock),
    timer: clock,
  });
}

before(async () => {
  authority = await createTestAuthority();
  first = await authority.issue(['localhost', '127.0.0.1', 'first.example']);
  second = await authority.issue(['localhost', '127.0.0.1', 'second.example']);
  server = await listen(first);
});
after(() => server.cut());

async function shake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(
    { host: '127.0.0.1', port: server.port, ca: authority.ca, ...options },
    resolve,
  );
  socket.on('error', reject);
  await promise;
  return socket;
}

function get(agent: Agent): Promise<{ readonly text: string; readonly names: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ text: string; names: string }>();
  const sent = request({ host: 'localhost', port: server.port, agent }, (answer) => {
    const { subjectaltname = '' } = (answer.socket as TLSSocket).getPeerCertificate();
    let text = '';
    answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
    answer.on('end', () => resolve({ text, names: subjectaltname }));
  });
  sent.on('error', reject);
  sent.end();
  return promise;
}

suite('a listener that speaks TLS', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`takes ${version}`, async () => {
      const socket = await shake({ minVersion: version, maxVersion: version });
      equal(socket.getProtocol(), version);
      socket.destroy();
    });
  }

  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    test(`refuses ${version}, whatever the client would allow`, async () => {
      const old: ConnectionOptions = {
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT@SECLEVEL=0',
      };
      const error = await shake(old).then(
        () => undefined,
        (failure: NodeJS.ErrnoException) => failure,
      );
      match(String(error?.code), /PROTOCOL_VERSION|EPROTO|ECONNRESET/);
      // Still so after a reload, which sets the versions anew.
      server.setTls(first);
      await shake(old).then(
        () => ok(false, 'taken after a reload'),
        () => undefined,
      );
    });
  }

  test('shows new connections a new certificate, and the open ones go on', async (t) => {
    const kept = new Agent({ ca: authority.ca, keepAlive: true, maxSockets: 1 });
    const fresh = new Agent({ ca: authority.ca });
    t.after(() => kept.destroy());
    server.setTls(first);
    match((await get(kept)).names, /first/);
    server.setTls(second);
    match((await get(fresh)).names, /second/);
    const again = await get(kept);
    deepEqual([again.text, /first/.test(again.names)], ['true', true]);
    server.setTls(first);
  });

  const broken: readonly (readonly [name: string, pair: () => TlsPair])[] = [
    ['of another key', () => ({ cert: second.cert, key: first.key })],
    ['that is no PEM', () => ({ cert: 'no', key: second.key })],
    ['without a key', () => ({ cert: second.cert, key: '' })],
    ['without a certificate', () => ({ cert: '', key: second.key })],
  ];
  for (const [name, pair] of broken) {
    test(`a pair ${name} leaves the old one in force`, async () => {
      const fresh = new Agent({ ca: authority.ca });
      server.setTls(first);
      throws(() => server.setTls(pair()));
      match((await get(fresh)).names, /first/);
    });
  }

  const unshaken: readonly (readonly [name: string, sent: string])[] = [
    ['says nothing', ''],
    ['begins a handshake and leaves it there', '\x16\x03\x01\x02\x00\x01'],
  ];
  for (const [name, sent] of unshaken) {
    test(`a client that ${name} is cut off when the handshake has lasted too long`, async (t) => {
      const impatient = await listen(first, 100);
      t.after(() => impatient.cut());
      const began = performance.now();
      const socket = connectPlain({ host: '127.0.0.1', port: impatient.port });
      t.after(() => socket.destroy());
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => {});
      socket.resume().write(Buffer.from(sent, 'latin1'));
      await closed;
      ok(performance.now() - began >= 99, 'not before');
    });
  }

  test('an early answer is seen by a client that writes everything first', async () => {
    const socket = await shake();
    socket.removeAllListeners('error').pause();
    let error: string | undefined;
    socket.on('error', (failure: NodeJS.ErrnoException) => (error = failure.code));
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const bytes = 20 * 1024 * 1024;
    socket.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
    socket.write(Buffer.alloc(bytes));
    let answer = '';
    await new Promise<void>((resolve) => {
      if (socket.writableNeedDrain) socket.once('drain', resolve);
      else resolve();
    });
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.resume();
    await closed;
    match(answer, /^HTTP\/1\.1 413 [^]*too large$/);
    equal(error, undefined);
  });
});

test('a listener that speaks plain HTTP takes no certificate', async () => {
  const plain = await listen();
  throws(() => plain.setTls(first), /plain HTTP/);
  await plain.cut();
});
