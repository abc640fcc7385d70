import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { suite, test } from 'node:test';
import { createTestAuthority } from '../../tests/support/samples/certificates.ts';
import { stageJwtIssuer } from '../../tests/support/upstreams/jwt-issuer.ts';
import type { OidcIssuer } from '../config/config.ts';
import { inspectIssuers } from './inspection.ts';

const issuerOf = (issuer: string, more: Partial<OidcIssuer> = {}): OidcIssuer => ({
  issuer,
  audiences: ['a'],
  jwksUrl: undefined,
  ca: undefined,
  principals: [],
  ...more,
});

interface Row {
  readonly name: string;
  readonly instead?: (response: ServerResponse) => void;
  readonly error?: RegExp;
  readonly hint?: RegExp;
}

const rows: readonly Row[] = [
  { name: 'that answers is in order' },
  {
    name: 'that answers 406 is told with it',
    instead: (response) => response.writeHead(406, { 'content-type': 'text/plain' }).end('no'),
    error:
      /^http:\S+\/\.well-known\/openid-configuration answered 406, text\/plain: the answer is no 200$/,
    hint: /jwksUrl/,
  },
  {
    name: 'that wants a login is told what Kubernetes needs',
    instead: (response) =>
      response.writeHead(403, { 'content-type': 'application/json' }).end('{}'),
    error: /answered 403, application\/json/,
    hint: /system:service-account-issuer-discovery/,
  },
  {
    name: 'that fails is told with its 500',
    instead: (response) => response.writeHead(500).end(),
    error: /answered 500: the answer is no 200/,
  },
  {
    name: 'that answers a page is told so',
    instead: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    error: /answered 200, text\/html: the answer is no JSON object/,
  },
  {
    name: 'that breaks off is told so',
    instead: (response) => void response.socket?.destroy(),
    error: /: socket hang up$/,
    hint: /firewall/,
  },
];

suite('an issuer', () => {
  for (const { name, instead, error, hint } of rows)
    test(name, async () => {
      await using issuer = await stageJwtIssuer();
      if (instead) issuer.instead = (_request, response) => instead(response);
      const [check] = await inspectIssuers([issuerOf(issuer.url)]);
      assert.equal(check?.result, error === undefined ? 'success' : 'error');
      if (error) assert.match(check?.error ?? '', error);
      if (hint) assert.match(check?.hint ?? '', hint);
    });

  test('whose name leads to two addresses where nothing listens is told with both', async () => {
    const [check] = await inspectIssuers([issuerOf('http://localhost:1/realm')]);
    assert.match(check?.error ?? '', /openid-configuration: connect ECONNREFUSED \S+:1/);
  });

  test('of an authority that is not known is told which setting names it', async () => {
    const authority = await createTestAuthority();
    await using issuer = await stageJwtIssuer(await authority.issue(['127.0.0.1']));
    const [unknown] = await inspectIssuers([issuerOf(issuer.url)]);
    assert.match(unknown?.hint ?? '', /caFile/);
    const [known] = await inspectIssuers([issuerOf(issuer.url, { ca: authority.ca })]);
    assert.equal(known?.result, 'success');
  });

  test('that is not there is nothing to check', async () => {
    assert.deepEqual(await inspectIssuers([]), [
      { description: 'no issuer is configured (oidc)', result: 'success' },
    ]);
  });
});
