// What a refusal says to who gets it, and to who runs the server.
import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { HttpAnswer } from '../../../tests/support/clients/http-exchange.ts';
import {
  administratorHeader,
  cachedRepository,
  ruleFor,
  startPullServer,
  userHeader,
} from '../../../tests/support/rigs/pull-server.ts';
import type { PullServer } from '../../../tests/support/rigs/pull-server.ts';
import { RegistryError } from '../../domain/errors.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { createRuleSet } from '../../domain/rules/rule-set.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';

const pushed = { ...cachedRepository, pushed: true };
const team = '/v2/team/app/manifests/1';
const unruled = '/v2/lscr.io/linuxserver/nginx/manifests/1';
const hub = '/v2/docker.io/library/nginx/manifests/1.27';
const digest = `sha256:${'a'.repeat(64)}`;

/** Docker Hub's rule, something pushed, and nobody but this machine's clients may import. */
async function start(): Promise<PullServer> {
  const server = await startPullServer([ruleFor('docker.io', 'registry-1.docker.io')]);
  server.cache.addManifest('team/app', '1', mediaTypes.ociManifest, '{"schemaVersion":2}');
  server.repositories.set('team/app', pushed);
  server.settings = { ...server.settings, anonymousImport: false };
  return server;
}

/** As clients do it: with a token for what they are about to ask. */
async function withAnonymousToken(
  server: PullServer,
  scope: string,
): Promise<{ readonly Authorization: string }> {
  const asked = await server.ask(`/v2/token?scope=${scope}`);
  return { Authorization: `Bearer ${(JSON.parse(asked.text) as { token: string }).token}` };
}

const challengeOf = ({ headers }: HttpAnswer): string => String(headers['www-authenticate']);
const messageOf = ({ text }: HttpAnswer): string =>
  (JSON.parse(text) as { errors: { message: string }[] }).errors[0]?.message ?? '';
const codeOf = ({ text }: HttpAnswer): unknown =>
  (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code;

suite('a 401 to who has an anonymous token already', () => {
  for (const [what, path, scope, words] of [
    ['what is hidden', team, 'repository:team/app:pull', 'authentication is needed for this'],
    [
      'what is not held',
      hub,
      'repository:docker.io/library/nginx:pull',
      'authentication is needed to fetch what is new (anonymousImport)',
    ],
  ] as const) {
    test(`says insufficient_scope and why, of ${what}`, async () => {
      await using server = await start();
      equal(challengeOf(await server.ask(path)).includes('error'), false);
      const headers = await withAnonymousToken(server, scope);
      const got = await server.ask(path, { headers });
      equal(got.status, 401);
      const said = `,error="insufficient_scope",error_description="${words}"`;
      equal(challengeOf(got).slice(-said.length), said);
      equal(messageOf(got), words);
    });

    test(`says why in what has no body, too, of ${what}`, async () => {
      await using server = await start();
      const headers = await withAnonymousToken(server, scope);
      const head = await server.ask(path, { headers, method: 'HEAD' });
      equal(head.status, 401);
      match(challengeOf(head), new RegExp(`,error="insufficient_scope: ${RegExp.escape(words)}",`));
      equal(head.statusText, `Unauthorized: ${words}`);
    });
  }

  test('is the bare code where a token for this repository would do', async () => {
    await using server = await start();
    server.repositories.set('docker.io/library/nginx', cachedRepository);
    const headers = await withAnonymousToken(server, 'repository:docker.io/library/redis:pull');
    for (const method of ['GET', 'HEAD'])
      match(challengeOf(await server.ask(hub, { headers, method })), /error="insufficient_scope"$/);
  });

  test('of a push says why as well', async () => {
    await using server = await start();
    const headers = await withAnonymousToken(server, 'repository:team/new:pull,push');
    const answer = await server.ask('/v2/team/new/blobs/uploads/', { headers, method: 'POST' });
    match(challengeOf(answer), /error="insufficient_scope: authentication is needed for this"/);
  });
});

suite('a name that begins with a host and that no rule leads to', () => {
  const words = 'no rule for lscr.io; breakwater rules ls';

  test('is said to who has an anonymous token, as 404', async () => {
    await using server = await start();
    const headers = await withAnonymousToken(server, 'repository:lscr.io/linuxserver/nginx:pull');
    const answer = await server.ask(unruled, { headers });
    deepEqual([answer.status, codeOf(answer), messageOf(answer)], [404, 'NAME_UNKNOWN', words]);
    const head = await server.ask(unruled, { headers, method: 'HEAD' });
    deepEqual([head.status, head.statusText], [404, `Not Found: ${words}`]);
  });

  test('is said with the challenge to who has shown nothing: a login may know it', async () => {
    await using server = await start();
    const answer = await server.ask(unruled);
    deepEqual([answer.status, messageOf(answer)], [401, words]);
    match(challengeOf(answer), /^Bearer /);
  });

  test('reads the same whether something hidden is there', async () => {
    await using server = await start();
    const headers = await withAnonymousToken(server, 'repository:lscr.io/linuxserver/nginx:pull');
    const who = [{}, { headers }, { headers: { Authorization: userHeader('alice') } }];
    const before = await Promise.all(who.map((each) => server.ask(unruled, each)));
    server.repositories.set('lscr.io/linuxserver/nginx', pushed);
    server.clock.advance(10_000);
    const after = await Promise.all(who.map((each) => server.ask(unruled, each)));
    deepEqual(
      after.map(({ status, text }) => [status, text]),
      before.map(({ status, text }) => [status, text]),
    );
  });

  test('may be pushed to, and is asked for a login then', async () => {
    await using server = await start();
    const headers = await withAnonymousToken(
      server,
      'repository:lscr.io/linuxserver/nginx:pull,push',
    );
    for (const [method, path] of [
      ['POST', '/v2/lscr.io/linuxserver/nginx/blobs/uploads/'],
      ['PUT', unruled],
      ['DELETE', unruled],
    ] as const) {
      const answer = await server.ask(path, { method, headers });
      deepEqual([answer.status, messageOf(answer)], [401, 'authentication is needed for this']);
    }
  });

  test('is said of an ns too', async () => {
    await using server = await start();
    const answer = await server.ask('/v2/linuxserver/nginx/manifests/1?ns=lscr.io');
    deepEqual([answer.status, messageOf(answer)], [404, words]);
  });

  test('is no name without a host, nor one that ROOT leads to', async () => {
    await using server = await start();
    doesNotMatch((await server.ask('/v2/linuxserver/nginx/manifests/1')).text, /rule/);
    server.rules = createRuleSet([ruleFor('ROOT', 'root.example')]);
    doesNotMatch((await server.ask(unruled)).text, /rule/);
  });
});

test('the Hub listener says to other machines that nothing is fetched for them', async () => {
  await using server = await startPullServer([ruleFor('docker.io', 'registry-1.docker.io')], 'hub');
  server.settings = { ...server.settings, anonymousImport: false };
  for (const [row, code] of [
    [undefined, 'NAME_UNKNOWN'],
    [cachedRepository, 'MANIFEST_UNKNOWN'],
  ] as const) {
    if (row !== undefined) server.repositories.set('docker.io/library/redis', row);
    const name = row === undefined ? 'nginx' : 'redis';
    const answer = await server.ask(`/v2/library/${name}/manifests/1`);
    deepEqual([answer.status, codeOf(answer)], [404, code]);
    match(messageOf(answer), /^not here yet, and nothing new is fetched for other machines/);
  }
});

suite('a failure names the image to explain', () => {
  const failure = (kind: UpstreamFailure['kind']): Error =>
    answerOf(new UpstreamFailure('it said no', { kind, reason: 'status', upstream: 'u' }), 'blob');
  const busy = new RegistryError('unavailable', 'too many downloads');
  for (const [name, path, error, image] of [
    ['429 of a tag', hub, failure('rateLimited'), 'docker.io/library/nginx:1.27'],
    ['503 of a tag', hub, failure('network'), 'docker.io/library/nginx:1.27'],
    ['503 of this server’s own', hub, busy, 'docker.io/library/nginx:1.27'],
    ['502 of a tag', hub, failure('invalid'), 'docker.io/library/nginx:1.27'],
    ['504 of a tag', hub, failure('timeout'), 'docker.io/library/nginx:1.27'],
    [
      '503 of a digest',
      `/v2/docker.io/library/nginx/manifests/${digest}`,
      failure('network'),
      `docker.io/library/nginx@${digest}`,
    ],
    [
      '429 of a blob',
      `/v2/library/nginx/blobs/${digest}?ns=docker.io`,
      failure('rateLimited'),
      `docker.io/library/nginx@${digest}`,
    ],
  ] as const)
    test(name, async () => {
      await using server = await start();
      server.settings = { ...server.settings, anonymousImport: true };
      server.cache.failure = error;
      const answer = await server.ask(path);
      equal(messageOf(answer), `${error.message}; breakwater explain ${image}`);
      const silent = answer.status >= 500;
      equal(answer.statusText.endsWith(`breakwater explain ${image}`), silent);
      const head = await server.ask(path, { method: 'HEAD' });
      equal(head.status, answer.status);
      equal(head.statusText.endsWith(`: ${error.message}; breakwater explain ${image}`), true);
    });

  test('but not where too many logins failed', async () => {
    await using server = await start();
    server.cache.failure = new RegistryError('manifestUnknown', 'not here');
    server.settings = { ...server.settings, anonymousImport: true };
    equal(messageOf(await server.ask(hub)), 'not here');
  });
});

suite('the note for the access log', () => {
  for (const [who, headers, path, principal, reason] of [
    ['anonymous', {}, hub, 'anonymous', 'anonymousImport is false'],
    [
      'a user without the right',
      { Authorization: userHeader('alice') },
      team,
      'arn:aws:iam::000000000000:user/alice',
      'no statement of a policy allows ecr:BatchGetImage to arn:aws:iam::000000000000:user/alice',
    ],
    [
      'wrong credentials',
      { Authorization: 'Basic wrong' },
      team,
      undefined,
      'the credentials are not known here',
    ],
  ] as const)
    test(`says who was refused, and why: ${who}`, async () => {
      await using server = await start();
      const answer = await server.ask(path, { headers });
      const reply = server.served[0]?.reply;
      deepEqual([reply?.principal, reply?.note.reason], [principal, reason]);
      if (who !== 'wrong credentials') doesNotMatch(answer.text, /policy|is false/);
    });

  test('says what upstream failed with', async () => {
    await using server = await start();
    const failed = new UpstreamFailure('registry-1.docker.io: connect (ECONNREFUSED)', {
      kind: 'network',
      reason: 'connect',
      upstream: 'registry-1.docker.io',
    });
    server.cache.failure = answerOf(failed, 'manifest');
    await server.ask(hub, { headers: { Authorization: administratorHeader } });
    equal(server.served[0]?.reply.note.reason, failed.message);
  });

  test('has no reason, and of anonymous no principal, where it went well', async () => {
    await using server = await start();
    server.cache.addManifest('docker.io/library/nginx', '1.27', mediaTypes.ociManifest, '{}');
    server.repositories.set('docker.io/library/nginx', cachedRepository);
    equal((await server.ask(hub)).status, 200);
    const reply = server.served[0]?.reply;
    deepEqual([reply?.principal, reply?.note.reason], [undefined, undefined]);
  });
});
