// A private registry of ECR's form is asked for a password with the rule's access key, and with that for images.
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import { newKeyPair } from '../../src/access/secrets/credentials.ts';
import type { PullRule } from '../../src/domain/rules/pull-rule.ts';
import { ecrPlaceOf } from '../../src/upstream/login/ecr-password.ts';
import { startBreakwater, rulesOnly } from '../support/processes/breakwater.ts';
import { systemClock } from '../../src/coordination/system-clock.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import { Sha256 } from '../support/samples/signed-requests.ts';
import {
  createRig,
  failureOf,
  latest,
  never,
  ruleOf,
  targetOf,
  urlOf,
} from '../support/rigs/upstream-rig.ts';
import type { Rig } from '../support/rigs/upstream-rig.ts';
import { openStage, sendManifest } from '../support/upstreams/stage.ts';
import type { Stage } from '../support/upstreams/stage.ts';

const pair = newKeyPair();
const temporary = { ...newKeyPair(), sessionToken: 'a+session/token==' };
const credential = { name: 'ecr', username: pair.accessKeyId, accessToken: pair.secretAccessKey };
const role = 'arn:aws:iam::000000000000:role/puller';
const hourMs = 3_600_000;
const clock = createFakeClock();

interface Ecr extends Stage {
  /** Targets and actions, in the order in which they came. */
  readonly calls: string[];
}

/** Whether AWS's own package signs it in the same way. */
async function isSigned({ headers }: IncomingMessage, body: string): Promise<boolean> {
  const { authorization = '', host = '', 'x-amz-date': at = '' } = headers;
  const [, region = '', service = ''] =
    /\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request/.exec(authorization) ?? [];
  const credentials = headers['x-amz-security-token'] === undefined ? pair : temporary;
  const sha256 = Sha256;
  const signer = new SignatureV4({ credentials, region, service, sha256, applyChecksum: false });
  const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(';') ?? [];
  const own = names.filter((name) => !/^x-amz-(?:date|security-token)$/.test(name));
  const request = {
    method: 'POST',
    protocol: 'http:',
    hostname: host,
    path: '/',
    headers: Object.fromEntries(own.map((name) => [name, String(headers[name])])),
    body,
  };
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(at)) ?? [];
  const signingDate = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const isNow = Math.abs(signingDate.getTime() - clock.now()) < 1000;
  const signed = await signer.sign(request, { signingDate });
  return isNow && signed.headers['authorization'] === authorization;
}

type Answer = (call: string, response: ServerResponse) => boolean;

/** Takes what `pair` signs, or what the role's keys do, and the password that it gave out last. */
async function openEcr(answer: Answer = () => false): Promise<Ecr> {
  const calls: string[] = [];
  let passwords = 0;
  const answerCall = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const call = String(request.headers['x-amz-target'] ?? body);
    calls.push(call);
    if (answer(call, response)) return;
    if (!(await isSigned(request, body))) {
      response.writeHead(400).end(JSON.stringify({ __type: 'InvalidSignatureException' }));
      return;
    }
    if (call.startsWith('Action=AssumeRole')) {
      const end = new Date(clock.now() + hourMs).toISOString();
      response.end(
        `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>${temporary.accessKeyId}</AccessKeyId><SecretAccessKey>${temporary.secretAccessKey}</SecretAccessKey><SessionToken>${temporary.sessionToken}</SessionToken><Expiration>${end}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
      );
      return;
    }
    passwords += 1;
    const authorizationToken = Buffer.from(`AWS:pass-${passwords}`).toString('base64');
    const expiresAt = clock.now() / 1000 + 12 * 3600;
    response.end(JSON.stringify({ authorizationData: [{ authorizationToken, expiresAt }] }));
  };
  const stage = await openStage((request, response) => {
    if (request.method === 'POST') return void answerCall(request, response);
    const good = `Basic ${Buffer.from(`AWS:pass-${passwords}`).toString('base64')}`;
    if (request.headers.authorization === good) return sendManifest(response);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="r",service="ecr.amazonaws.com"' });
    response.end();
  });
  return Object.assign(stage, { calls });
}

const ruleAt = ({ port }: { readonly port: number }, more: Partial<PullRule> = {}): PullRule =>
  ruleOf(`http://000000000000.dkr.ecr.eu-west-1.registry.test:${port}`, { credential, ...more });

const pull = (rig: Rig, rule: PullRule, repository = 'team/app'): Promise<unknown> =>
  rig.upstream.headManifest(targetOf(rule, repository), latest, never);

const password = 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken';

test('one password is asked for, by a signature, for any number of pulls; the key itself is never shown', async () => {
  await using ecr = await openEcr();
  await using rig = createRig();
  const rule = ruleAt(ecr);
  await Promise.all(['a', 'b', 'c', 'd'].map((name) => pull(rig, rule, `team/${name}`)));
  await pull(rig, rule, 'team/e');
  assert.deepEqual(ecr.calls, [password]);
  const shown = JSON.stringify(ecr.seen.map(({ headers }) => headers));
  assert.equal(shown.includes(pair.secretAccessKey), false);
  const basic = Buffer.from(`${pair.accessKeyId}:${pair.secretAccessKey}`).toString('base64');
  assert.equal(shown.includes(basic), false);
});

test('a password is renewed half an hour before its end, and at once where it is refused', async () => {
  await using ecr = await openEcr();
  await using rig = createRig();
  const rule = ruleAt(ecr);
  await pull(rig, rule);
  rig.clock.advance(11.4 * hourMs);
  await pull(rig, rule);
  assert.equal(ecr.calls.length, 1);
  rig.clock.advance(0.2 * hourMs);
  clock.setNow(rig.clock.now());
  await pull(rig, rule);
  assert.equal(ecr.calls.length, 2);
  clock.setNow(createFakeClock().now());
});

test('a password that is withdrawn is asked for anew', async () => {
  await using ecr = await openEcr();
  await using rig = createRig();
  await using other = createRig();
  await pull(rig, ruleAt(ecr));
  // Another one's password takes the place of ours.
  await pull(other, ruleAt(ecr));
  await pull(rig, ruleAt(ecr));
  assert.equal(ecr.calls.length, 3);
});

test('a role is assumed with the key, and the password asked for as the role, no longer than the role lasts', async () => {
  await using ecr = await openEcr();
  await using rig = createRig();
  const rule = ruleAt(ecr, { role });
  await pull(rig, rule);
  const action = `Action=AssumeRole&Version=2011-06-15&RoleArn=${encodeURIComponent(role)}&RoleSessionName=breakwater`;
  assert.deepEqual(ecr.calls, [action, password]);
  rig.clock.advance(0.95 * hourMs);
  clock.setNow(rig.clock.now());
  await pull(rig, rule);
  assert.equal(ecr.calls.length, 4);
  clock.setNow(createFakeClock().now());
});

const nos: readonly (readonly [string, Answer, kind: string, message: RegExp])[] = [
  [
    'another secret',
    (_call, response) => {
      response.writeHead(400).end('{"__type":"InvalidSignatureException","message":"s3cret"}');
      return true;
    },
    'denied',
    /GetAuthorizationToken at .*: 400 InvalidSignatureException$/,
  ],
  [
    'a key that is unknown',
    (_call, response) => {
      response.writeHead(400).end('{"__type":"com.amazon#UnrecognizedClientException"}');
      return true;
    },
    'denied',
    /: 400 UnrecognizedClientException$/,
  ],
  [
    'no right to it',
    (_call, response) => {
      response.writeHead(400).end('{"__type":"AccessDeniedException"}');
      return true;
    },
    'denied',
    /: 400 AccessDeniedException$/,
  ],
  [
    'too many calls',
    (_call, response) => {
      response.writeHead(400).end('{"__type":"ThrottlingException"}');
      return true;
    },
    'rateLimited',
    /ThrottlingException/,
  ],
  [
    'an error of its own',
    (_call, response) => {
      response.writeHead(500).end();
      return true;
    },
    'serverError',
    /500/,
  ],
  [
    'no password',
    (_call, response) => {
      response.end('{"authorizationData":[]}');
      return true;
    },
    'invalid',
    /holds no password/,
  ],
  [
    'no JSON',
    (_call, response) => {
      response.end('<html>');
      return true;
    },
    'invalid',
    /holds no password/,
  ],
];
for (const [what, answer, kind, message] of nos)
  test(`a registry that answers with ${what} is ${kind}, and is not asked again at once`, async () => {
    await using ecr = await openEcr(answer);
    await using rig = createRig();
    const failed = await failureOf(pull(rig, ruleAt(ecr)));
    assert.equal(failed.kind, kind, failed.message);
    assert.match(failed.message, message);
    assert.equal(failed.message.includes('s3cret'), false);
    const { length } = ecr.calls;
    if (kind !== 'denied') return;
    await failureOf(pull(rig, ruleAt(ecr), 'team/other'));
    assert.equal(ecr.calls.length, length);
  });

test('a role that may not be assumed is told so', async () => {
  await using ecr = await openEcr((call, response) => {
    if (!call.startsWith('Action')) return false;
    response
      .writeHead(403)
      .end('<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>');
    return true;
  });
  await using rig = createRig();
  const failed = await failureOf(pull(rig, ruleAt(ecr, { role })));
  assert.deepEqual(
    [failed.kind, /^AssumeRole at .*: 403 AccessDenied$/.test(failed.message)],
    ['denied', true],
  );
});

for (const [origin, username, ecr, sts] of [
  [
    'https://123456789012.dkr.ecr.eu-west-1.amazonaws.com',
    'AKIAABCDEFGHIJKLMNOP',
    'https://api.ecr.eu-west-1.amazonaws.com/',
    'https://sts.eu-west-1.amazonaws.com/',
  ],
  [
    'https://123456789012.dkr.ecr-fips.us-east-1.amazonaws.com',
    'AKIAABCDEFGHIJKLMNOP',
    'https://ecr-fips.us-east-1.amazonaws.com/',
    'https://sts-fips.us-east-1.amazonaws.com/',
  ],
  [
    'https://123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn',
    'AKIAABCDEFGHIJKLMNOP',
    'https://api.ecr.cn-north-1.amazonaws.com.cn/',
    'https://sts.cn-north-1.amazonaws.com.cn/',
  ],
  [
    'https://123456789012.dkr.ecr.eu-west-1.corp.example:8443',
    'AKIAABCDEFGHIJKLMNOP',
    'https://123456789012.dkr.ecr.eu-west-1.corp.example:8443/',
    'https://123456789012.dkr.ecr.eu-west-1.corp.example:8443/',
  ],
  ['https://123456789012.dkr.ecr.eu-west-1.amazonaws.com', 'AWS', undefined, undefined],
  ['https://registry.example', 'AKIAABCDEFGHIJKLMNOP', undefined, undefined],
] as const)
  test(`${username} at ${origin} asks ${ecr ?? 'nobody'} for a password`, () => {
    const place = ecrPlaceOf(urlOf(origin), { ...credential, username });
    assert.deepEqual([place?.ecr.href, place?.sts.href], [ecr, sts]);
  });

test('a second Breakwater is such a registry: by its key, and not by another secret.', async (t) => {
  const breakwater = await startBreakwater({ config: rulesOnly() });
  t.after(() => breakwater.close());
  const file = await readFile(join(breakwater.dataDir, 'credentials'), 'utf8');
  const username = /aws_access_key_id = (\S+)/.exec(file)?.[1] ?? '';
  const accessToken = /aws_secret_access_key = (\S+)/.exec(file)?.[1] ?? '';
  const { port } = new URL(breakwater.url);
  const origin = `http://000000000000.dkr.ecr.us-east-1.registry.test:${port}`;
  for (const [secret, valid] of [
    [accessToken, true],
    [`${accessToken}x`, false],
  ] as const) {
    await using rig = createRig({ clock: systemClock });
    const rule = ruleOf(origin, { credential: { name: 'ecr', username, accessToken: secret } });
    const asked = rig.upstream.ping(rule, rule.urls[0], never);
    if (valid) await asked;
    else assert.match((await failureOf(asked)).message, /400 InvalidSignatureException$/);
  }
});
