// What is refused for its form or its time, before anything is looked up.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { signaturesOf, someClient } from '../../../tests/support/rigs/signature-rig.ts';
import { sha256Of, signedByAws } from '../../../tests/support/samples/signed-requests.ts';
import type { SentRequest } from '../../../tests/support/samples/signed-requests.ts';
import { SignatureRefused } from './signature-refused.ts';

const pair = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'some secret of 16 characters' };
const at = Date.UTC(2026, 10, 30, 8);
const minute = 60_000;
const target = 'AmazonEC2ContainerRegistry_V20150921.DescribeRepositories';

const byHeader = await signedByAws(
  { headers: { 'x-amz-target': target }, body: '{}' },
  { pair, at },
);
const byQuery = await signedByAws(
  { method: 'GET', query: { Action: 'GetCallerIdentity', Version: '2011-06-15' } },
  { pair, at, service: 'sts', expiresSeconds: 60 },
);

/** `right`, or the problem and its text. */
async function outcome(request: SentRequest, now: number = at): Promise<readonly string[]> {
  try {
    const claim = await signaturesOf(pair, now).begin(request, someClient);
    await claim.verify(sha256Of(request));
    return ['right'];
  } catch (error) {
    if (!(error instanceof SignatureRefused)) throw error;
    return [error.problem, error.message];
  }
}

function valueOf(name: string): string {
  return byHeader.rawHeaders[byHeader.rawHeaders.indexOf(name) + 1] ?? '';
}

/** `byHeader` with another value of a header; `undefined`: without it. */
function withHeader(name: string, value: string | undefined): SentRequest {
  const index = byHeader.rawHeaders.indexOf(name);
  const rest = index < 0 ? byHeader.rawHeaders : byHeader.rawHeaders.toSpliced(index, 2);
  return { ...byHeader, rawHeaders: value === undefined ? rest : [...rest, name, value] };
}

function withLine(name: string, value: string): SentRequest {
  return { ...byHeader, rawHeaders: [...byHeader.rawHeaders, name, value] };
}

function withAuthorization(change: (value: string) => string): SentRequest {
  return withHeader('authorization', change(valueOf('authorization')));
}

function withQuery(change: (query: string) => string): SentRequest {
  return { ...byQuery, query: change(byQuery.query) };
}

const bodyNotSigned =
  'x-amz-content-sha256 must be the SHA-256 of the body in hexadecimal digits: a body that is not signed is not accepted.';
const wrongNames =
  'SignedHeaders must be names of headers in lower case, sorted, each once, with a semicolon between.';
const manyNames = Array.from({ length: 101 }, (_, n) => `x-${1000 + n}`).join(';');

const rows: readonly (readonly [string, SentRequest, ...string[]])[] = [
  ['a request with all parts is right', byHeader, 'right'],
  ['so is a presigned one', byQuery, 'right'],
  [
    'without Authorization it is missing',
    withHeader('authorization', undefined),
    'missing',
    'Missing Authentication Token',
  ],
  [
    'without a signature in the query either it is missing',
    withQuery(() => 'Action=GetCallerIdentity'),
    'missing',
    'Missing Authentication Token',
  ],
  [
    'another scheme is not shown again',
    withHeader('authorization', 'Basic QUtJQTpzZWNyZXQ='),
    'incomplete',
    "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA256' is expected.",
  ],
  [
    'nothing at all is no algorithm',
    withHeader('authorization', ''),
    'incomplete',
    "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA256' is expected.",
  ],
  [
    'the signature of many regions is not taken',
    withAuthorization((value) => value.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256')),
    'incomplete',
    "Unsupported AWS 'algorithm' 'AWS4-ECDSA-P256-SHA256': 'AWS4-HMAC-SHA256' is expected.",
  ],
  [
    'all parts that are missing are named',
    withHeader('authorization', 'AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE'),
    'incomplete',
    "Authorization header requires 'SignedHeaders' parameter. Authorization header requires 'Signature' parameter.",
  ],
  [
    'a part without a value is not shown again',
    withAuthorization((value) => `${value}, c2VjcmV0`),
    'incomplete',
    'Authorization header has a part that is not a valid key=value pair (missing equal-sign).',
  ],
  [
    'a part that nobody knows is refused',
    withAuthorization((value) => `${value}, More=1`),
    'incomplete',
    'Authorization header has a parameter that is not known.',
  ],
  [
    'a part twice is refused',
    withAuthorization((value) => `${value}, Signature=${'0'.repeat(64)}`),
    'incomplete',
    'Authorization header has a parameter twice.',
  ],
  [
    'a second Authorization is refused',
    withLine('Authorization', valueOf('authorization')),
    'incomplete',
    "'authorization' is there twice.",
  ],
  [
    'a long Authorization is not read',
    withAuthorization((value) => `${value}${' '.repeat(8192)}`),
    'incomplete',
    'Authorization header must have at most 8192 characters.',
  ],
  [
    'parts may come in another order, with no blanks',
    withAuthorization((value) => value.replace(/^(\S+) (\S+), (\S+), (\S+)$/, '$1 $4,$3,$2')),
    'right',
  ],
  [
    'both ways at once are refused',
    { ...byQuery, rawHeaders: [...byQuery.rawHeaders, 'authorization', valueOf('authorization')] },
    'incomplete',
    'A request is signed by its Authorization header or by its query, not both.',
  ],
  [
    'a credential of four elements is refused',
    withAuthorization((value) => value.replace('/ecr', '')),
    'incomplete',
    'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 4.',
  ],
  [
    'a long credential is refused',
    withAuthorization((value) => value.replace('AKIAEXAMPLE', 'A'.repeat(250))),
    'incomplete',
    'Credential must have at most 256 characters.',
  ],
  [
    'a region that is none is refused',
    withAuthorization((value) => value.replace('/eu-west-1/', '/EU:WEST/')),
    'wrong',
    'Credential should be scoped to a valid region.',
  ],
  [
    'an empty service is refused',
    withAuthorization((value) => value.replace('/ecr/', '//')),
    'wrong',
    'Credential should be scoped to a correct service.',
  ],
  [
    'another terminator is refused',
    withAuthorization((value) => value.replace('aws4_request', 'aws4')),
    'wrong',
    "Credential should be scoped with a valid terminator: 'aws4_request'.",
  ],
  [
    'another day in the scope is refused',
    withAuthorization((value) => value.replace('/20261130/', '/20261129/')),
    'wrong',
    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261129' != '20261130', from '20261130T080000Z'.",
  ],
  [
    'no date is refused',
    withHeader('x-amz-date', undefined),
    'incomplete',
    "A signed request requires existence of an 'X-Amz-Date'.",
  ],
  [
    'two dates are refused',
    withLine('X-Amz-Date', valueOf('x-amz-date')),
    'incomplete',
    "'x-amz-date' is there twice.",
  ],
  ...['Mon, 30 Nov 2026 08:00:00 GMT', '2026-11-30T08:00:00Z', '20261330T080000Z', ''].map(
    (date) =>
      [
        `the date “${date}” is refused`,
        withHeader('x-amz-date', date),
        'incomplete',
        "Date must be in ISO-8601 'basic format', as 20150830T123600Z. See http://en.wikipedia.org/wiki/ISO_8601",
      ] as const,
  ),
  ...['X-Amz-Target', 'X-Amz-Date', 'Host'].map(
    (name) =>
      [
        `${name} is signed`,
        withAuthorization((value) =>
          value.replace(/SignedHeaders=[^,]*/, (list) =>
            list.replace(new RegExp(`${name.toLowerCase()};?`), '').replace(/;$/, ''),
          ),
        ),
        'wrong',
        `'${name}' must be a 'SignedHeader' in the AWS Authorization.`,
      ] as const,
  ),
  [
    'a session token is signed',
    withLine('X-Amz-Security-Token', 'token'),
    'wrong',
    "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.",
  ],
  [
    'a signed header that a proxy took away is named',
    withHeader('x-amz-content-sha256', undefined),
    'wrong',
    "The signed header 'x-amz-content-sha256' is not in the request.",
  ],
  ...[
    ['names that are not sorted', 'x-amz-date;host'],
    ['a name twice', 'host;host;x-amz-date'],
    ['a name in upper case', 'Host;x-amz-date'],
    ['no name', ''],
    ['what is no name', 'host;x amz;x-amz-date'],
  ].map(
    ([name, list]) =>
      [
        `${name} in SignedHeaders are refused`,
        withAuthorization((value) => value.replace(/SignedHeaders=[^,]*/, `SignedHeaders=${list}`)),
        'incomplete',
        wrongNames,
      ] as const,
  ),
  [
    'more than a hundred signed headers are refused',
    withAuthorization((value) =>
      value.replace(/SignedHeaders=[^,]*/, `SignedHeaders=host;${manyNames}`),
    ),
    'incomplete',
    'SignedHeaders must name at most 100 headers.',
  ],
  [
    'more than a hundred parameters are refused',
    { ...byHeader, query: 'a=1&'.repeat(100) },
    'incomplete',
    'The query must have at most 100 parameters.',
  ],
  [
    'signed headers of more than 16 KiB are refused',
    withHeader('x-amz-target', 'x'.repeat(16_384)),
    'incomplete',
    'The signed headers must have at most 16384 bytes.',
  ],
  ...['0'.repeat(63), `${'0'.repeat(63)}g`, 'A'.repeat(64), ''].map(
    (signature) =>
      [
        `the signature “${signature}” is refused`,
        withAuthorization((value) => value.replace(/Signature=\w+/, `Signature=${signature}`)),
        'incomplete',
        'The signature must be 64 hexadecimal digits in lower case.',
      ] as const,
  ),
  ...[
    'UNSIGNED-PAYLOAD',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    '',
  ].map(
    (said) =>
      [
        `the content hash “${said}” is refused`,
        withHeader('x-amz-content-sha256', said),
        'incomplete',
        bodyNotSigned,
      ] as const,
  ),
  [
    'an unsigned body of a presigned URL is refused',
    withQuery((query) => `${query}&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD`),
    'incomplete',
    bodyNotSigned,
  ],
  [
    'a content hash that is not signed has to be right too',
    {
      ...byQuery,
      rawHeaders: [...byQuery.rawHeaders, 'x-amz-content-sha256', '0'.repeat(64)],
    },
    'wrong',
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  ],
  ...['Algorithm', 'Credential', 'SignedHeaders', 'Signature', 'Expires'].map(
    (name) =>
      [
        `a presigned URL without X-Amz-${name} is refused`,
        withQuery((query) => query.replace(new RegExp(`&X-Amz-${name}=[^&]*`), '')),
        'incomplete',
        `AWS query-string parameters must include 'X-Amz-${name}'.`,
      ] as const,
  ),
  [
    'a presigned URL without X-Amz-Date is refused',
    withQuery((query) => query.replace(/&X-Amz-Date=[^&]*/, '')),
    'incomplete',
    "A signed request requires existence of an 'X-Amz-Date'.",
  ],
  [
    'a parameter of the signature twice is refused',
    withQuery((query) => `${query}&X-Amz-Expires=60`),
    'incomplete',
    "'X-Amz-Expires' is in the query twice.",
  ],
  [
    'a parameter of the signature that is no text is refused',
    withQuery((query) => query.replace(/X-Amz-Date=[^&]*/, 'X-Amz-Date=%FF')),
    'incomplete',
    "'X-Amz-Date' in the query is not text.",
  ],
  ...['0', '-1', '1e3', '604801', '9999999', 'x'].map(
    (seconds) =>
      [
        `a presigned URL for “${seconds}” seconds is refused`,
        withQuery((query) => query.replace('X-Amz-Expires=60', `X-Amz-Expires=${seconds}`)),
        'incomplete',
        'X-Amz-Expires must be a number of seconds from 1 to 604800.',
      ] as const,
  ),
  [
    'a session token that nobody made is not known',
    withQuery((query) => `${query}&X-Amz-Security-Token=x`),
    'unknownKey',
    'The security token included in the request is invalid.',
  ],
];

suite('the form of a signed request', () => {
  for (const [name, request, ...expected] of rows) {
    test(name, async () => deepEqual(await outcome(request), expected));
  }

  test('a parameter of a header-signed request is what it is signed as, a plus no space', async () => {
    const sent = await signedByAws({ query: { a: 'b c', d: 'e+f' } }, { pair, at });
    equal(sent.query, 'a=b%20c&d=e%2Bf');
    deepEqual(await outcome(sent), ['right']);
    for (const query of ['a=b+c&d=e%2Bf', 'a=b%20c&d=e+f', 'a=b%2520c&d=e%2Bf'])
      equal((await outcome({ ...sent, query }))[0], 'wrong', query);
  });

  test('no text is ever believed, and none fails otherwise', async () => {
    const line = fc.oneof(
      fc.string(),
      fc.string().map((text) => `AWS4-HMAC-SHA256 ${text}`),
      fc
        .array(fc.tuple(fc.constantFrom('Credential', 'SignedHeaders', 'Signature'), fc.string()))
        .map((all) => `AWS4-HMAC-SHA256 ${all.map((each) => each.join('=')).join(', ')}`),
    );
    const query = fc.oneof(
      fc.string(),
      fc
        .array(
          fc.tuple(fc.constantFrom('Algorithm', 'Credential', 'Date', 'Signature'), fc.string()),
        )
        .map((all) => all.map(([name, value]) => `X-Amz-${name}=${value}`).join('&')),
    );
    await fc.assert(
      fc.asyncProperty(line, query, fc.string(), async (authorization, text, date) => {
        const request = {
          ...withHeader('authorization', authorization),
          query: text,
        };
        const rawHeaders = request.rawHeaders.map((each) =>
          each.startsWith('2026') ? date : each,
        );
        ok((await outcome({ ...request, rawHeaders }))[0] !== 'right');
        ok((await outcome(request))[0] !== 'right');
      }),
    );
  });
});

suite('the time of a signed request', () => {
  const late =
    'Signature expired: 20261130T080000Z is now earlier than 20261130T080001Z (20261130T081501Z - 15 min.)';
  const times: readonly (readonly [string, SentRequest, number, ...string[]])[] = [
    ['is right for 15 minutes', byHeader, 15 * minute, 'right'],
    ['is over after that', byHeader, 15 * minute + 1000, 'late', late],
    ['may be 15 minutes ahead', byHeader, -15 * minute, 'right'],
    [
      'may be no more ahead',
      byHeader,
      -15 * minute - 1000,
      'early',
      'Signature not yet current: 20261130T080000Z is still later than 20261130T075959Z (20261130T074459Z + 15 min.)',
    ],
    ['of a URL for a minute holds for 15', byQuery, 15 * minute, 'right'],
    ['of a URL for a minute holds no longer', byQuery, 15 * minute + 1000, 'late', late],
  ];
  for (const [name, request, later, ...expected] of times) {
    test(name, async () => deepEqual(await outcome(request, at + later), expected));
  }

  test('of a URL for an hour holds for an hour, and may not be ahead of it', async () => {
    const hour = await signedByAws({ method: 'GET' }, { pair, at, expiresSeconds: 3600 });
    deepEqual(await outcome(hour, at + 60 * minute), ['right']);
    deepEqual(await outcome(hour, at + 60 * minute + 1000), [
      'late',
      'Signature expired: 20261130T080000Z is now earlier than 20261130T080001Z (20261130T090001Z - 60 min.)',
    ]);
    equal((await outcome(hour, at - 16 * minute))[0], 'early');
  });

  test('of a URL for a week holds for a week', async () => {
    const week = await signedByAws({ method: 'GET' }, { pair, at, expiresSeconds: 604_800 });
    deepEqual(await outcome(week, at + 604_800_000), ['right']);
    equal((await outcome(week, at + 604_801_000))[0], 'late');
  });
});
