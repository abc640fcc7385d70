import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import {
  createRig,
  failureOf,
  latest,
  never,
  publicAddress,
  ruleOf,
  secret,
  secretBasic,
  targetAt,
  targetOf,
} from '../support/rigs/upstream-rig.ts';
import { openStage, sendManifest } from '../support/upstreams/stage.ts';
import type { Stage } from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-tls-'));
after(() => rmSync(folder, { recursive: true }));

/** A self-signed certificate for a name, or for a client. */
function issue(name: string): { readonly cert: string; readonly key: string } {
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  const options = [
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  execFileSync('openssl', ['req', ...options, '-keyout', keyFile, '-out', certFile, ...subject], {
    stdio: 'pipe',
  });
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

const server = issue('registry.vendor.com');
const client = issue('robot');

test('flapping DNS falls back on the last good address, and a name never seen is a failure', async () => {
  let up = true;
  let lookups = 0;
  await using stage = await openStage((_request, response) => {
    response.setHeader('connection', 'close');
    sendManifest(response);
  });
  await using rig = createRig({
    lookup: async () => {
      lookups += 1;
      if (up) return [{ address: publicAddress, family: 4 }];
      throw Object.assign(new Error('servfail'), { code: 'EAI_AGAIN' });
    },
  });
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  up = false;
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  assert.deepEqual([stage.seen.length, lookups], [2, 2]);
  const unknown = targetOf(ruleOf(`http://other.vendor.com:${stage.port}`));
  const failed = await failureOf(rig.upstream.headManifest(unknown, latest, never));
  assert.deepEqual([failed.kind, failed.reason], ['network', 'dns']);
  assert.equal(stage.seen.length, 2);
});

test('a lookup that never ends is given up after 2 s, and twenty requests make one lookup', async () => {
  const asked = Promise.withResolvers<void>();
  let lookups = 0;
  await using rig = createRig({
    lookup: async () => {
      lookups += 1;
      asked.resolve();
      return new Promise(() => {});
    },
  });
  const target = targetOf(ruleOf('http://registry.vendor.com:1'));
  const work = Array.from({ length: 20 }, () =>
    failureOf(rig.upstream.headManifest(target, latest, never)),
  );
  await asked.promise;
  await new Promise((resolve) => setImmediate(resolve));
  rig.clock.advance(2000);
  for (const { kind, reason } of await Promise.all(work))
    assert.deepEqual([kind, reason], ['network', 'dns']);
  assert.equal(lookups, 1);
});

test('a refused connection is a network failure', async () => {
  const stage = await openStage(() => {});
  await stage[Symbol.asyncDispose]();
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
  assert.deepEqual([failed.kind, failed.reason], ['network', 'connect']);
  assert.equal(rig.upstream.state(targetAt(stage).url.host)?.lastFailure?.message, failed.message);
});

test('a TLS handshake that never ends is given up after 5 s', async () => {
  const connected = Promise.withResolvers<Socket>();
  const silent = createServer((socket) => connected.resolve(socket.on('error', () => {}).resume()));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  await using rig = createRig();
  const target = targetOf(
    ruleOf(`https://registry.vendor.com:${(silent.address() as AddressInfo).port}`),
  );
  const work = failureOf(rig.upstream.headManifest(target, latest, never));
  const socket = await connected.promise;
  rig.clock.advance(5000);
  const failed = await work;
  assert.deepEqual([failed.kind, failed.reason], ['timeout', 'connectTimeout']);
  await once(socket, 'close');
  silent.close();
});

test('a certificate that nobody vouches for is refused, and the rule’s own CA makes it good', async () => {
  await using stage = await openStage((_request, response) => sendManifest(response), server);
  await using rig = createRig();
  const origin = `https://registry.vendor.com:${stage.port}`;
  const failed = await failureOf(
    rig.upstream.headManifest(targetOf(ruleOf(origin)), latest, never),
  );
  assert.deepEqual([failed.kind, failed.reason], ['network', 'tls']);
  assert.equal(stage.seen.length, 0);
  await rig.upstream.headManifest(targetOf(ruleOf(origin, { ca: server.cert })), latest, never);
  assert.equal(stage.seen.length, 1);
});

test('a certificate of another name is refused', async () => {
  await using stage = await openStage((_request, response) => sendManifest(response), server);
  await using rig = createRig();
  const target = targetOf(ruleOf(`https://registry.other.com:${stage.port}`, { ca: server.cert }));
  assert.equal((await failureOf(rig.upstream.headManifest(target, latest, never))).reason, 'tls');
  assert.equal(stage.seen.length, 0);
});

test('a client certificate is shown to the rule’s host and to no redirect’s target', async () => {
  const names: unknown[] = [];
  const tls = { ...server, requestCert: true, ca: client.cert, rejectUnauthorized: false };
  const note = (socket: TLSSocket): unknown => names.push(socket.getPeerCertificate().subject?.CN);
  await using store = await openStage((request, response) => {
    note(request.socket as TLSSocket);
    response.writeHead(200, { 'content-length': '0' }).end();
  }, tls);
  await using stage = await openStage((request, response) => {
    note(request.socket as TLSSocket);
    response.writeHead(307, { location: `https://registry.vendor.com:${store.port}/b` }).end();
  }, tls);
  await using rig = createRig();
  const rule = ruleOf(`https://registry.vendor.com:${stage.port}`, {
    ca: server.cert,
    clientCert: client,
  });
  await using _body = await rig.upstream.openBlob(targetOf(rule), digestOf(Buffer.of()), {}, never);
  assert.deepEqual(names, ['robot', undefined]);
});

test('a redirect from https to http is not followed', async () => {
  await using store = await openStage((_request, response) => sendManifest(response));
  await using stage = await openStage((_request, response) => {
    response.writeHead(307, { location: `http://registry.vendor.com:${store.port}/` }).end();
  }, server);
  await using rig = createRig();
  const target = targetOf(ruleOf(`https://registry.vendor.com:${stage.port}`, { ca: server.cert }));
  const failed = await failureOf(rig.upstream.openBlob(target, digestOf(Buffer.of()), {}, never));
  assert.deepEqual([failed.kind, failed.reason], ['invalid', 'redirectRefused']);
  assert.deepEqual([stage.seen.length, store.seen.length], [1, 0]);
});

test('T29: an https registry can not send anyone to an http token service, which is asked by https', async () => {
  await using auth = await openStage((_request, response) => response.end('{"token":"t"}'));
  await using stage = await openStage((_request, response) => {
    response
      .writeHead(401, {
        'www-authenticate': `Bearer realm="http://registry.vendor.com:${auth.port}/t"`,
      })
      .end();
  }, server);
  await using rig = createRig();
  const target = targetOf(ruleOf(`https://registry.vendor.com:${stage.port}`, { ca: server.cert }));
  const failed = await failureOf(rig.upstream.headManifest(target, latest, never));
  assert.equal(failed.reason, 'tls');
  assert.deepEqual([stage.seen.length, auth.seen.length], [1, 0]);
});

test('a realm that an https registry names by http is asked by https, with the credential', async () => {
  await using stage: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true) response.end('{"token":"good"}');
    else if (request.headers.authorization === 'Bearer good') sendManifest(response);
    else {
      const realm = `http://registry.vendor.com:${stage.port}/token`;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    }
  }, server);
  await using rig = createRig();
  const origin = `https://registry.vendor.com:${stage.port}`;
  const rule = ruleOf(origin, { ca: server.cert, credential: secret });
  await rig.upstream.headManifest(targetOf(rule), latest, never);
  assert.equal(stage.seen[1]?.headers.authorization, secretBasic);
});

test('HTTP_PROXY is asked for plain hosts, NO_PROXY is not, and a metadata address is refused ahead of it', async () => {
  await using proxy = await openStage((_request, response) => sendManifest(response));
  await using stage = await openStage((_request, response) => sendManifest(response));
  const env = {
    HTTP_PROXY: `http://user:pass@127.0.0.1:${proxy.port}`,
    NO_PROXY: '.vendor.com,10.0.0.0/8',
  };
  await using rig = createRig({ env });
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  assert.deepEqual([stage.seen.length, proxy.seen.length], [1, 0]);
  const other = targetOf(ruleOf('http://registry.other.net'));
  await rig.upstream.headManifest(other, latest, never);
  assert.equal(proxy.seen[0]?.path, 'http://registry.other.net/v2/team/app/manifests/latest');
  assert.equal(
    proxy.seen[0]?.headers['proxy-authorization'],
    `Basic ${Buffer.from('user:pass').toString('base64')}`,
  );

  await using redirecting = await openStage((_request, response) => {
    response.writeHead(307, { location: 'http://169.254.169.254/' }).end();
  });
  const failed = await failureOf(rig.upstream.headManifest(targetAt(redirecting), latest, never));
  assert.equal(failed.reason, 'addressRefused');
  assert.equal(proxy.seen.length, 1);
});

test('HTTPS_PROXY tunnels, with the registry’s own certificate checked', async () => {
  await using stage = await openStage((_request, response) => sendManifest(response), server);
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.once('data', (head) => {
      asked.push(head.toString('latin1').split('\r\n')[0] ?? '');
      const through = connect(stage.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        through.pipe(socket).pipe(through);
      });
      sockets.add(through.on('error', () => {}));
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  await using rig = createRig({
    env: { HTTPS_PROXY: `127.0.0.1:${(proxy.address() as AddressInfo).port}` },
  });
  const origin = `https://registry.vendor.com:${stage.port}`;
  await rig.upstream.headManifest(targetOf(ruleOf(origin, { ca: server.cert })), latest, never);
  assert.equal(
    (await failureOf(rig.upstream.headManifest(targetOf(ruleOf(origin)), latest, never))).reason,
    'tls',
  );
  assert.equal(asked[0], `CONNECT registry.vendor.com:${stage.port} HTTP/1.1`);
  assert.equal(stage.seen.length, 1);
  for (const socket of sockets) socket.destroy();
  proxy.close();
});

test('disposing the client ends what is under way', async () => {
  await using stage = await openStage(() => {});
  const rig = createRig();
  const work = failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
  await stage.reached(1);
  await rig[Symbol.asyncDispose]();
  assert.equal((await work).kind, 'network');
});
