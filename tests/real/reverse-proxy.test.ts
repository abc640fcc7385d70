// Breakwater behind nginx on the same machine: whom it takes the clients for, with and without trustedProxies.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Breakwater } from '../support/processes/breakwater.ts';
import { basicOf, rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import { openStage, sendManifest } from '../support/upstreams/stage.ts';
import type { Stage } from '../support/upstreams/stage.ts';
import type { Running } from '../support/processes/process.ts';
import { startProcess } from '../support/processes/process.ts';
import { until } from '../support/rigs/until.ts';
import { findTools } from '../support/tools/tools.ts';

const found = await findTools('nginx');
const skip = 'missing' in found ? found.missing : false;
const binary = 'missing' in found ? '' : found.paths.nginx;
/** nginx's own clients, each with an address of its own. */
const [guesser, worker, guest] = ['127.0.0.11', '127.0.0.12', '127.0.0.13'] as const;
const name = 'registry.example.com';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function ask(
  port: number,
  localAddress: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const options = { host: '127.0.0.1', port, path, localAddress, agent: false };
  request({ ...options, headers: { host: name, ...headers } }, (answer) => {
    answer.resume();
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers }));
  })
    .on('error', reject)
    .end();
  return promise;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Proxy extends AsyncDisposable {
  readonly port: number;
}

/** nginx in front of a port; `headers`: the lines that say whom it asks for. */
async function startNginx(to: string, headers: string): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), 'bw-nginx-'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ');
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid;
events { worker_connections 256; }
http {
  access_log off; ${temporary}
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      proxy_pass ${to};
      ${headers}
    }
  }
}
`,
  );
  const log = join(folder, 'error.log');
  const child: Running = startProcess(binary, ['-c', join(folder, 'nginx.conf'), '-e', log]);
  await until(
    async () =>
      ask(port, '127.0.0.1', '/v2/').then(
        () => true,
        () => undefined,
      ),
    'nginx answers',
  );
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      await child.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** As the README has it. */
const told = `
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Request-Id $request_id;`;

let stage: Stage;
let breakwater: Breakwater;
let upstreamUrl: string;

before(async () => {
  if (skip !== false) return;
  stage = await openStage((_request, response) => sendManifest(response));
  upstreamUrl = `http://127.0.0.1:${stage.port}`;
  breakwater = await startBreakwater({ config: configOf([]) });
});
after(async () => {
  await breakwater?.close();
  await stage?.[Symbol.asyncDispose]();
});

function configOf(trustedProxies: readonly string[]): Record<string, unknown> {
  return {
    ...rulesOnly({ prefix: 'up', upstream: upstreamUrl }),
    trustedProxies,
  };
}

/** Lines of the access log with this user agent. */
function logged(agent: string): Record<string, unknown>[] {
  return breakwater
    .logs()
    .split('\n')
    .filter((line) => line.includes(`"ua":"${agent}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

suite('behind nginx that is named in trustedProxies', { skip }, () => {
  let nginx: Proxy | undefined;
  let port: number;
  before(async () => {
    await breakwater.configure(configOf(['127.0.0.1']));
    await breakwater.untilLogged(/configuration reloaded/);
    nginx = await startNginx(breakwater.url, told);
    port = nginx.port;
  });
  after(() => nginx?.[Symbol.asyncDispose]());

  test('the log has the client, whatever it writes into the header itself', async () => {
    const spoofed = { 'user-agent': 'spoofing', 'x-forwarded-for': '127.0.0.1, 9.9.9.9' };
    await ask(port, worker, '/v2/', spoofed);
    const [line] = await until(() => {
      const lines = logged('spoofing');
      return Promise.resolve(lines.length > 0 ? lines : undefined);
    }, 'it is logged');
    assert.equal(line?.['client_ip'], worker);
  });

  test('answer and log have the id that nginx gave the request, not what the client calls it', async () => {
    const named = { 'user-agent': 'naming', 'x-request-id': 'mine' };
    const { headers } = await ask(port, worker, '/v2/', named);
    const id = String(headers['x-request-id']);
    assert.match(id, /^[\da-f]{32}$/);
    const [line] = await until(() => {
      const lines = logged('naming');
      return Promise.resolve(lines.length > 0 ? lines : undefined);
    }, 'it is logged');
    assert.equal(line?.['request_id'], id);
  });

  test('the challenge names the public host and scheme', async () => {
    const { status, headers } = await ask(port, worker, '/v2/');
    assert.equal(status, 401);
    assert.equal(
      headers['www-authenticate'],
      `Bearer realm="https://${name}/v2/token",service="${name}"`,
    );
  });

  test('nobody behind it is on this machine', async () => {
    assert.equal((await ask(port, guest, '/v2/up/app/manifests/latest')).status, 401);
    assert.equal(stage.seen.length, 0);
  });

  test('one who guesses does not slow the other’s login', async () => {
    const right = { authorization: await basicOf(breakwater) };
    const guess = async (n: number): Promise<number> => {
      const pair = Buffer.from(`AKIAUNKNOWN${n}:guess`).toString('base64');
      return (await ask(port, guesser, '/v2/', { authorization: `Basic ${pair}` })).status;
    };
    const guesses: number[] = [];
    for (let n = 0; n < 12; n += 1) guesses.push(await guess(n));
    assert.equal(guesses.at(-1), 429);
    assert.equal((await ask(port, worker, '/v2/', right)).status, 200);
    assert.equal((await ask(port, guesser, '/v2/', right)).status, 429);
  });
});

suite('behind nginx that is not named', { skip }, () => {
  before(async () => {
    await breakwater.close();
    breakwater = await startBreakwater({ config: configOf([]) });
  });

  test('its clients are not on this machine, and the log says once what to set', async () => {
    await using plain = await startNginx(breakwater.url, '');
    await using telling = await startNginx(breakwater.url, told);
    for (const { port } of [plain, telling, telling]) {
      const headers = { host: 'localhost' };
      assert.equal((await ask(port, guest, '/v2/up/app/manifests/latest', headers)).status, 401);
    }
    assert.equal(stage.seen.length, 0);
    const log = await breakwater.settledLogs();
    assert.equal(log.match(/"route":"manifest"/g)?.length, 3);
    assert.doesNotMatch(log, /"request_id":"[\da-f]{32}"/, 'nor is its id taken');
    assert.equal(log.match(/a proxy on this machine/g)?.length, 1);
    assert.match(log, /"setting":"trustedProxies"/);
  });

  test('who asks without it still is', async () => {
    const { port } = new URL(breakwater.url);
    const path = '/v2/up/app/manifests/latest';
    assert.equal((await ask(Number(port), '127.0.0.1', path, { host: name })).status, 401);
    assert.equal((await ask(Number(port), '127.0.0.1', path, { host: 'localhost' })).status, 200);
  });
});
