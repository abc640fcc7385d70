import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  administratorHeader,
  cachedRepository,
  ruleFor,
  startPullServer,
  userHeader,
} from '../../../tests/support/rigs/pull-server.ts';
import type { PullServer } from '../../../tests/support/rigs/pull-server.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';

const team = 'team/app';
const path = `/v2/${team}/manifests/1`;
const manifestText = '{"schemaVersion":2}';
const pushed = { ...cachedRepository, pushed: true };
const alice = { headers: { Authorization: userHeader('alice') } };
const administrator = { headers: { Authorization: administratorHeader } };
const codeOf = (text: string): unknown =>
  (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code;

/** `Allow` of the actions on one repository, as an identity policy. */
function allowing(repository: string, ...actions: readonly string[]): string {
  const resource = `arn:aws:ecr:us-east-1:000000000000:repository/${repository}`;
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: actions, Resource: resource }],
  });
}

async function startTeamServer(): Promise<PullServer> {
  const server = await startPullServer([]);
  server.cache.addManifest(team, '1', mediaTypes.ociManifest, manifestText);
  server.repositories.set(team, pushed);
  return server;
}

suite('4. The host chooses the registry', () => {
  const rows: readonly (readonly [host: string, registry: string])[] = [
    ['registry.example.com', '000000000000/us-east-1'],
    ['000000000000.dkr.ecr.us-east-1.example.com', '000000000000/us-east-1'],
    ['000000000000.dkr.ecr.eu-west-1.example.com:5000', '000000000000/eu-west-1'],
    ['000000000000.dkr.ecr.ap-south-1.example.com', '000000000000/us-east-1'],
    ['111122223333.dkr.ecr.us-east-1.amazonaws.com', '111122223333/us-east-1'],
    ['111122223333.DKR.ECR.US-EAST-1.Example.com', '111122223333/us-east-1'],
    ['1.dkr.ecr.us-east-1.example.com', '000000000000/us-east-1'],
  ];
  for (const [host, registry] of rows) {
    test(`${host} is ${registry}`, async () => {
      await using server = await startPullServer([]);
      await server.ask(path, { headers: { Host: host } });
      equal(server.audited[0]?.registry, registry);
    });
  }

  test('a region that any names is a registry of its own', async () => {
    await using server = await startPullServer([]);
    server.settings = { ...server.settings, regions: 'any' };
    const headers = { Host: '000000000000.dkr.ecr.ap-south-1.example.com' };
    await server.ask(path, { headers });
    equal(server.audited[0]?.registry, '000000000000/ap-south-1');
  });

  test('an ns of that form is a registry of ours, and one of an unknown account is 404', async () => {
    await using server = await startPullServer([]);
    await server.ask(`${path}?ns=000000000000.dkr.ecr.eu-west-1.example.com`);
    equal(server.audited[0]?.registry, '000000000000/eu-west-1');
    const foreign = await server.ask(`${path}?ns=999999999999.dkr.ecr.us-east-1.amazonaws.com`);
    deepEqual([foreign.status, codeOf(foreign.text)], [404, 'NAME_UNKNOWN']);
  });
});

suite('5. The base says how to log in', () => {
  const empty = `Basic ${Buffer.from(':').toString('base64')}`;
  const rows: readonly (readonly [name: string, header: string | undefined, status: number])[] = [
    ['nothing', undefined, 401],
    ['the administrator', administratorHeader, 200],
    ['a user', userHeader('alice'), 200],
    ['a wrong pair', `Basic ${Buffer.from('alice:wrong').toString('base64')}`, 401],
    ['a pair without a user', empty, 401],
  ];
  for (const [name, header, status] of rows) {
    for (const base of ['/v2/', '/v2', '/docker.io/v2/']) {
      test(`${name} at ${base} is ${status}`, async () => {
        await using server = await startPullServer();
        const answer = await server.ask(
          base,
          header === undefined ? {} : { headers: { Authorization: header } },
        );
        equal(answer.status, status);
        equal(answer.headers['docker-distribution-api-version'], 'registry/2.0');
        const host = `127.0.0.1:${server.port}`;
        equal(
          answer.headers['www-authenticate'],
          status === 401 ? `Bearer realm="http://${host}/v2/token",service="${host}"` : undefined,
        );
      });
    }
  }

  test('an anonymous token opens it', async () => {
    await using server = await startPullServer();
    const { token } = JSON.parse((await server.ask('/v2/token')).text) as { token: string };
    const headers = { Authorization: `Bearer ${token}` };
    equal((await server.ask('/v2/', { headers })).status, 200);
  });

  test('without anonymousPull there is no anonymous token', async () => {
    await using server = await startPullServer();
    server.settings = { ...server.settings, anonymousPull: false };
    equal((await server.ask('/v2/token')).status, 401);
  });

  test('publicUrl is where tokens are had', async () => {
    await using server = await startPullServer();
    server.settings = { ...server.settings, publicUrl: 'https://registry.example.com' };
    equal(
      (await server.ask('/v2/')).headers['www-authenticate'],
      'Bearer realm="https://registry.example.com/v2/token",service="registry.example.com"',
    );
  });

  test('a Host that would break out of the header is not repeated', async () => {
    await using server = await startPullServer();
    const answer = await server.ask('/v2/', { headers: { Host: 'a",realm="https://evil' } });
    ok(!String(answer.headers['www-authenticate']).includes('evil'));
  });

  test("a host of ECR's form is challenged by Basic alone", async () => {
    await using server = await startPullServer();
    const headers = { Host: '000000000000.dkr.ecr.us-east-1.example.com' };
    match(
      String((await server.ask('/v2/', { headers })).headers['www-authenticate']),
      /^Basic realm="http:\/\/000000000000\.dkr\.ecr\.us-east-1\.example\.com\/",service="ecr\.amazonaws\.com"$/,
    );
  });

  test('scopes are read in their canonical spelling', async () => {
    await using server = await startPullServer();
    const scopes = [
      'scope=repository:docker.io/nginx:pull',
      'scope=repository:team/app:pull,push%20repository(plugin):x/y:*',
      'scope=registry:catalog:*',
      'scope=repository:a/*:pull',
    ];
    const answer = await server.ask(`/v2/token?${scopes.join('&')}`, administrator);
    const { token } = JSON.parse(answer.text) as { token: string };
    const made = JSON.parse(Buffer.from(token, 'base64url').toString()) as { scopes: unknown };
    deepEqual(made.scopes, [
      { repository: 'docker.io/library/nginx', rights: ['pull'] },
      { repository: 'team/app', rights: ['pull', 'push'] },
      { repository: 'x/y', rights: ['pull', 'push', 'delete'] },
      { repository: '*', rights: ['pull'] },
    ]);
  });

  const forms: readonly (readonly [name: string, body: string, status: number])[] = [
    ['a password', 'grant_type=password&username=alice&password=secret', 200],
    ['a wrong password', 'grant_type=password&username=alice&password=x', 401],
    ['a refresh token', 'grant_type=refresh_token&refresh_token=x', 401],
    ['a form of 70 KB', 'a'.repeat(70_000), 413],
  ];
  for (const [name, body, status] of forms) {
    test(`${name} by POST is ${status}`, async () => {
      await using server = await startPullServer();
      equal((await server.ask('/v2/token', { method: 'POST', body })).status, status);
    });
  }
});

suite('8. Policies decide, and what may not be seen is not there', () => {
  test('a user without a policy is told that there is no such repository, word for word', async () => {
    await using server = await startTeamServer();
    const hidden = await server.ask(path, alice);
    const missing = await server.ask('/v2/team/other/manifests/1', alice);
    deepEqual([hidden.status, codeOf(hidden.text)], [404, 'NAME_UNKNOWN']);
    equal(hidden.text.replaceAll(team, ''), missing.text.replaceAll('team/other', ''));
    deepEqual(server.cache.calls, []);
  });

  test('anonymous is challenged alike for what is hidden and what is not there', async () => {
    await using server = await startTeamServer();
    for (const name of [team, 'team/other']) {
      const answer = await server.ask(`/v2/${name}/manifests/1`);
      equal(answer.status, 401);
      match(
        String(answer.headers['www-authenticate']),
        new RegExp(`,scope="repository:${name}:pull"$`),
      );
    }
  });

  test('an identity policy lets a user in', async () => {
    await using server = await startTeamServer();
    server.identityPolicies.set('alice', allowing('team/*', 'ecr:BatchGetImage'));
    equal((await server.ask(path, alice)).text, manifestText);
  });

  const regional: readonly (readonly [name: string, effect: string, status: number])[] = [
    ['an Allow', 'Allow', 200],
    ['a Deny', 'Deny', 404],
  ];
  for (const [name, effect, status] of regional) {
    test(`${name} in a region that is no registry of its own holds at home, by whatever host it is asked`, async () => {
      await using server = await startTeamServer();
      const resource = `arn:aws:ecr:eu-west-2:000000000000:repository/${team}`;
      const everything = { Effect: 'Allow', Action: '*', Resource: '*' };
      const regionally = { Effect: effect, Action: 'ecr:*', Resource: resource };
      const Statement = effect === 'Deny' ? [everything, regionally] : [regionally];
      server.identityPolicies.set('alice', JSON.stringify({ Version: '2012-10-17', Statement }));
      for (const host of [
        'registry.example.com',
        '000000000000.dkr.ecr.eu-west-2.example.com',
        '000000000000.dkr.ecr.us-east-1.example.com',
      ]) {
        const answer = await server.ask(path, { headers: { ...alice.headers, Host: host } });
        equal(answer.status, status, host);
      }
    });
  }

  test('who may read but not push is told so', async () => {
    await using server = await startTeamServer();
    server.identityPolicies.set('alice', allowing('team/*', 'ecr:BatchGetImage'));
    const answer = await server.ask(path, { ...alice, method: 'PUT', body: '{}' });
    deepEqual([answer.status, codeOf(answer.text)], [403, 'DENIED']);
    match(answer.text, /ecr:PutImage/);
    deepEqual(server.pushes.calls, []);
  });

  test('who may not even read is told that there is nothing', async () => {
    await using server = await startTeamServer();
    const answer = await server.ask(path, { ...alice, method: 'DELETE' });
    deepEqual([answer.status, codeOf(answer.text)], [404, 'NAME_UNKNOWN']);
  });

  test('a token of too small a scope is 401, and says which is missing', async () => {
    await using server = await startTeamServer();
    const asked = await server.ask(`/v2/token?scope=repository:${team}:pull`, administrator);
    const { token } = JSON.parse(asked.text) as { token: string };
    const headers = { Authorization: `Bearer ${token}` };
    equal((await server.ask(path, { headers })).status, 200);
    const push = await server.ask(`/v2/${team}/blobs/uploads/`, { headers, method: 'POST' });
    equal(push.status, 401);
    match(
      String(push.headers['www-authenticate']),
      /scope="repository:team\/app:pull,push",error="insufficient_scope"$/,
    );
  });

  test('HEAD of a blob is had by the right to check layers alone', async () => {
    await using server = await startTeamServer();
    const digest = server.cache.addBlob(team, Buffer.from('layer'));
    server.identityPolicies.set('alice', allowing(team, 'ecr:BatchCheckLayerAvailability'));
    const blob = `/v2/${team}/blobs/${digest}`;
    equal((await server.ask(blob, { ...alice, method: 'HEAD' })).status, 200);
    equal((await server.ask(blob, alice)).status, 404);
  });

  test('T18: the catalog lists what the caller may see, a page at a time', async () => {
    await using server = await startTeamServer();
    for (const name of ['team/b', 'team/c', 'other/x']) server.repositories.set(name, pushed);
    const names = async (query: string, who: object): Promise<unknown> =>
      (
        JSON.parse((await server.ask(`/v2/_catalog${query}`, who)).text) as {
          repositories: string[];
        }
      ).repositories;
    equal((await server.ask('/v2/_catalog')).status, 401);
    deepEqual(await names('', alice), []);
    deepEqual(await names('', administrator), ['other/x', team, 'team/b', 'team/c']);
    server.identityPolicies.set('alice', allowing('team/*', 'ecr:DescribeRepositories'));
    deepEqual(await names('', alice), []);
  });

  test('pages of the catalog lead on', async () => {
    await using server = await startTeamServer();
    server.repositories.set('team/b', pushed);
    const first = await server.ask('/v2/_catalog?n=1', administrator);
    equal(first.headers.link, '</v2/_catalog?n=1&last=team%2Fapp>; rel="next"');
    const second = await server.ask('/v2/_catalog?n=1&last=team%2Fapp', administrator);
    deepEqual(JSON.parse(second.text), { repositories: ['team/b'] });
    equal(second.headers.link, undefined);
  });

  test('what is hidden is not named by the page that passes over it, nor counted', async () => {
    await using server = await startTeamServer();
    for (let n = 0; n < 5100; n += 1) server.repositories.set(`secret/n${n}`, pushed);
    server.repositories.set('zoo/a', pushed);
    server.identityPolicies.set('alice', allowing('zoo/*', 'ecr:DescribeRepositories'));
    const first = await server.ask('/v2/_catalog', alice);
    deepEqual(JSON.parse(first.text), { repositories: [] });
    const link = /^<(.*)>; rel="next"$/.exec(String(first.headers.link))?.[1] ?? '';
    ok(!/secret|team/.test(JSON.stringify(first.headers)), link);
    const second = await server.ask(link, alice);
    deepEqual(
      [JSON.parse(second.text), second.headers.link],
      [{ repositories: ['zoo/a'] }, undefined],
    );
    equal((await server.ask('/v2/_catalog?last=~x', alice)).status, 400);
  });

  test('denials are audited with who, what and from where', async () => {
    await using server = await startTeamServer();
    const answer = await server.ask(path, alice);
    const [entry] = server.audited;
    deepEqual(
      [entry?.kind, entry?.principal, entry?.action, entry?.resource, entry?.requestId],
      [
        'denial',
        'arn:aws:iam::000000000000:user/alice',
        'ecr:BatchGetImage',
        team,
        answer.headers['x-request-id'],
      ],
    );
  });
});

suite('10. Fetching what is new is a right of its own', () => {
  const rule = ruleFor('docker.io', 'docker.io');
  const nginx = 'docker.io/library/nginx';
  const asked = `/v2/${nginx}/manifests/latest`;

  test('anonymous imports from loopback alone, by default', async () => {
    await using server = await startPullServer([rule]);
    server.cache.addManifest(nginx, 'latest', mediaTypes.ociManifest, manifestText);
    equal((await server.ask(asked)).status, 200);
    deepEqual(server.cache.calls, [`manifest GET ${nginx} latest`]);
  });

  test('anonymousImport: false serves what is held, under the rule, and fetches nothing', async () => {
    await using server = await startPullServer([rule]);
    server.settings = { ...server.settings, anonymousImport: false };
    server.repositories.set(nginx, cachedRepository);
    server.cache.addManifest(nginx, 'latest', mediaTypes.ociManifest, manifestText);
    equal((await server.ask(asked)).status, 200);
    deepEqual(server.cache.heldOnly, [true]);
    const missing = await server.ask(`/v2/${nginx}/manifests/new`);
    equal(missing.status, 401);
  });

  test('a user without the right is told as of what is not there, and the audit why', async () => {
    await using server = await startPullServer([rule]);
    server.settings = { ...server.settings, anonymousImport: false };
    const answer = await server.ask(asked, alice);
    deepEqual([answer.status, codeOf(answer.text)], [404, 'NAME_UNKNOWN']);
    equal(server.audited.at(-1)?.action, 'ecr:BatchImportUpstreamImage');
    server.repositories.set(nginx, cachedRepository);
    server.clock.advance(2001);
    equal(codeOf((await server.ask(asked, alice)).text), 'MANIFEST_UNKNOWN');
  });

  test('W1.10: a policy with the three actions lets a node import', async () => {
    await using server = await startPullServer([rule]);
    server.settings = { ...server.settings, anonymousImport: false, anonymousPull: false };
    server.cache.addManifest(nginx, 'latest', mediaTypes.ociManifest, manifestText);
    const import3 = ['ecr:CreateRepository', 'ecr:BatchImportUpstreamImage', 'ecr:BatchGetImage'];
    server.identityPolicies.set('alice', allowing('*', ...import3));
    equal((await server.ask(asked, alice)).status, 200);
    deepEqual(server.cache.heldOnly, [false]);
  });
});
