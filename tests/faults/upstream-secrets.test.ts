// What an upstream sends back of the credential that it was given goes no further, and neither do addresses of internal DNS.
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { suite, test } from 'node:test';
import { inspect } from 'node:util';
import { answerOf } from '../../src/domain/upstream-failure.ts';
import {
  createRig,
  failureOf,
  latest,
  never,
  publicAddress,
  secret,
  secretBasic,
  targetAt,
} from '../support/rigs/upstream-rig.ts';
import type { Rig } from '../support/rigs/upstream-rig.ts';
import { manifestBytes, openStage } from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

const issued = 'issued-token-77';
const refresh = 'refresh-token-88';

/** In lower case, since a host name is. */
const hidden = [secret.accessToken, secretBasic.slice('Basic '.length), issued, refresh].map(
  (text) => text.toLowerCase(),
);

function refuse(response: ServerResponse, message: string, status = 403): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code: 'DENIED', message: `so ${message} so` }] }));
}

function challenged(response: ServerResponse, realm: string): void {
  response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
}

/** Gives everybody a token, and answers who has one as `answer` does. */
function guarded(request: IncomingMessage, response: ServerResponse, answer: () => void): unknown {
  if (request.url?.startsWith('/token') === true)
    return response.end(JSON.stringify({ token: issued, refresh_token: refresh }));
  if (request.headers.authorization === `Bearer ${issued}`) return answer();
  return challenged(response, `http://${request.headers.host}/token`);
}

type Answering = (request: IncomingMessage, response: ServerResponse) => unknown;

const rows: readonly (readonly [name: string, answer: Answering])[] = [
  ['the secret in an error', (_request, response) => refuse(response, secret.accessToken)],
  [
    'user name and secret of a URL in an error',
    (_request, response) => refuse(response, `https://robot:${secret.accessToken}@host/`),
  ],
  [
    'the header that it got in an error',
    (request, response) =>
      request.headers.authorization === undefined
        ? response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
        : refuse(response, request.headers.authorization.slice('Basic '.length)),
  ],
  [
    'the token in an error',
    (request, response) => guarded(request, response, () => refuse(response, issued)),
  ],
  [
    'the refresh token in an error',
    (request, response) => guarded(request, response, () => refuse(response, refresh, 500)),
  ],
  [
    'the secret in an error of the token service',
    (request, response) =>
      request.url?.startsWith('/token') === true
        ? refuse(response, secret.accessToken, 500)
        : challenged(response, `http://${request.headers.host}/token`),
  ],
  [
    'the secret in the host of a token service that is not admitted',
    (_request, response) => challenged(response, `http://${secret.accessToken}.other.net/token`),
  ],
  [
    'the secret in the host of a redirect that is not admitted',
    (_request, response) =>
      response.writeHead(307, { location: `http://${secret.accessToken}.localhost/x` }).end(),
  ],
  [
    'the token in the host of a redirect that DNS does not know',
    (request, response) =>
      guarded(request, response, () =>
        response.writeHead(307, { location: `http://${issued}.unknown.net/x` }).end(),
      ),
  ],
  [
    'the token in the host of a redirect that answers nothing',
    (request, response) =>
      guarded(request, response, () =>
        response.writeHead(307, { location: `http://${issued}.other.net:1/x` }).end(),
      ),
  ],
  [
    'the secret as the source of a limit',
    (_request, response) =>
      response
        .writeHead(429, {
          'ratelimit-limit': '1;w=60',
          'ratelimit-remaining': '0;w=60',
          'docker-ratelimit-source': secret.accessToken,
        })
        .end(),
  ],
];

async function assertHidden(rig: Rig, failed: Error & { cause?: unknown }): Promise<void> {
  const state = rig.upstream.state('registry.vendor.com');
  const told = inspect([failed.message, failed.cause, rig.events, state], { depth: 9 });
  for (const text of hidden) assert.ok(!told.toLowerCase().includes(text), told);
}

suite('an upstream that repeats', () => {
  for (const [name, answer] of rows) {
    test(`${name} tells nobody`, async () => {
      await using stage = await openStage((request, response) => void answer(request, response));
      await using rig = createRig({
        lookup: async (host) => {
          if (host.endsWith('.unknown.net'))
            throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
          return [{ address: publicAddress, family: 4 }];
        },
      });
      const target = targetAt(stage, { credential: secret });
      const calls = [
        () => rig.upstream.getManifest(target, latest, undefined, never),
        () => rig.upstream.openBlob(target, digestOf(manifestBytes), {}, never),
        () => rig.upstream.listTags(target, { n: 10 }, never),
        () => rig.upstream.ping(target.rule, target.url, never),
      ];
      for (const call of calls) {
        const failed = await failureOf(Promise.resolve(call()));
        await assertHidden(rig, failed);
        rig.upstream.reset();
      }
    });
  }
});

suite('an address that DNS answered is for the operator:', () => {
  const rest = [
    [
      'a redirect that leads to a private one',
      (response: ServerResponse) =>
        response.writeHead(307, { location: 'http://files.corp.example/x' }).end(),
      'invalid',
    ],
    [
      'a token service at a private one',
      (response: ServerResponse) => challenged(response, 'http://login.vendor.com/token'),
      'denied',
    ],
  ] as const;
  for (const [name, answer, kind] of rest) {
    test(name, async () => {
      await using stage = await openStage((_request, response) => void answer(response));
      await using rig = createRig({
        lookup: async (host) => [
          { address: host === 'registry.vendor.com' ? '203.0.113.10' : '10.11.12.13', family: 4 },
        ],
      });
      const failed = await failureOf(
        rig.upstream.openBlob(targetAt(stage), digestOf(manifestBytes), {}, never),
      );
      assert.equal(failed.kind, kind);
      const { message, detail } = answerOf(failed, 'blob');
      assert.doesNotMatch(JSON.stringify([message, detail]), /10\.11/);
      assert.match(failed.message, /files\.corp\.example|login\.vendor\.com/);
      const [told] = rig.of('upstreamFailed');
      assert.match(told?.message ?? '', /10\.11\.12\.13/);
    });
  }
});
