import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { explainedTag, explanation } from '../../tests/support/samples/explanation.ts';
import type { Explanation } from '../contract/explanation.ts';
import { anonymous } from '../domain/policy/principal.ts';
import { forecastFor } from './caller-forecast.ts';
import type { AskedCaller } from './caller-forecast.ts';

const tag = { ...explainedTag, digest: 'sha256:aa' };

const absent: Explanation = {
  ...explanation,
  repository: 'docker.io/library/nginx',
  reference: '1.27',
  rule: {
    prefix: 'docker.io',
    origin: 'builtin',
    credential: null,
    anonymousPull: false,
    freshForSeconds: 86_400,
    platforms: 'requested',
  },
  upstream: { url: 'https://registry-1.docker.io', mirrors: [], repository: 'library/nginx' },
};
const held: Explanation = { ...absent, tag, content: { ...absent.content, state: 'complete' } };
const partial: Explanation = {
  ...held,
  content: { ...held.content, state: 'partial', missing: { manifests: 0, blobs: 2 } },
};
const unruled: Explanation = {
  ...absent,
  rule: null,
  upstream: null,
  verdict: { code: 'noRule', text: 'answered 404: no rule leads to this name' },
};

const yes = { allowed: true, because: 'anonymousPull is true' };
const no = { allowed: false, because: 'anonymousPull is false' };
const notHere = { allowed: false, because: 'anonymousImport is loopback' };
const noStatement = { allowed: false, because: 'no statement allows it' };
const ann = { kind: 'user', account: '000000000000', name: 'ann' } as const;
const fix =
  'anonymousImport is loopback; set anonymousImport: true to fetch for everyone, or give them a login';

const rows: readonly (readonly [
  name: string,
  found: Explanation,
  caller: Partial<AskedCaller>,
  status: number,
  text: string,
])[] = [
  ['who may import has it fetched', absent, {}, 200, 'fetched and kept'],
  ['who may not is told the setting', absent, { imports: notHere }, 401, `not held, and ${fix}`],
  [
    'a user who may not gets 404, and the statement is named',
    absent,
    { principal: ann, imports: noStatement },
    404,
    'not held, and no statement allows it',
  ],
  ['who may not read gets 401', absent, { reads: no }, 401, 'anonymousPull is false'],
  [
    'a user who may not read gets 404',
    held,
    { principal: ann, reads: noStatement },
    404,
    'no statement allows it',
  ],
  [
    'what is held is served to who may not import',
    held,
    { imports: notHere },
    200,
    'served as it is held; upstream is not asked for them',
  ],
  [
    'what is held in part fails for them',
    partial,
    { imports: notHere },
    401,
    `the manifest is held, 2 of what it names are not, and ${fix}`,
  ],
  [
    'what was read elsewhere is not served to them',
    { ...held, tag: { ...tag, sourceChanged: true } },
    { imports: notHere },
    401,
    `held from another source than the rule's, and ${fix}`,
  ],
  [
    'a digest that is held is',
    { ...held, tag: null, reference: 'sha256:aa' },
    { imports: notHere },
    200,
    'served as it is held; upstream is not asked for them',
  ],
  [
    'a stop holds for them',
    { ...held, stopped: { at: 'x', reason: 'upstream denied' } },
    { imports: notHere },
    403,
    'upstream denied',
  ],
  [
    'no rule is 404 to who may not read either',
    { ...unruled, repository: 'lscr.io/x/y' },
    { reads: no },
    404,
    'no rule for lscr.io; breakwater rules ls',
  ],
  ['no rule, and no host in the name', unruled, {}, 404, unruled.verdict.text],
  [
    'patterns refuse everybody',
    { ...absent, verdict: { code: 'denied', text: 'refused with 403' } },
    { imports: notHere },
    403,
    'refused with 403',
  ],
  [
    'a limit is everybody’s',
    { ...absent, verdict: { code: 'rateLimited', text: 'answered 429' } },
    {},
    429,
    'answered 429',
  ],
  [
    'a resting upstream is everybody’s',
    { ...absent, verdict: { code: 'unavailable', text: 'answered 503' } },
    {},
    503,
    'answered 503',
  ],
];

for (const [name, found, change, status, text] of rows)
  test(`${name}: ${status}`, () => {
    const caller = { principal: anonymous, from: '192.0.2.7', reads: yes, imports: yes, ...change };
    const as =
      caller.principal.kind === 'anonymous' ? 'anonymous' : 'arn:aws:iam::000000000000:user/ann';
    deepEqual(forecastFor(found, caller), { as, from: '192.0.2.7', status, text });
  });
