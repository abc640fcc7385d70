// What AWS's own package signs is right here, and with any change of it wrong.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { signaturesOf, someClient } from '../../../tests/support/rigs/signature-rig.ts';
import { sha256Of, signedByAws } from '../../../tests/support/samples/signed-requests.ts';
import type { ClientRequest, SentRequest } from '../../../tests/support/samples/signed-requests.ts';
import { newKeyPair } from '../secrets/credentials.ts';
import { SignatureRefused } from './signature-refused.ts';

const at = Date.UTC(2026, 10, 30, 8);
const pair = newKeyPair();
const signatures = signaturesOf(pair, at);

/** Whom it speaks for, or why not. */
async function outcome(request: SentRequest): Promise<string> {
  try {
    const claim = await signatures.begin(request, someClient);
    const { accessKeyId, region, service } = await claim.verify(sha256Of(request));
    return `${accessKeyId} ${region} ${service}`;
  } catch (error) {
    if (!(error instanceof SignatureRefused)) throw error;
    return error.problem;
  }
}

const text = fc.string({ unit: 'grapheme', maxLength: 24 });
const segment = text.filter((each) => each !== '.' && each !== '..').map(encodeURIComponent);
const parameterName = text.filter((name) => !/^x-amz-|^__proto__$/i.test(name));
/** What Node's parser lets through. */
const headerValue = text.filter((value) => !/[^\P{Cc}\t]/u.test(value));
const headerName = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
  .filter((name) => !/^(host|authorization|x-amz-.*)$/.test(name));

const requests: fc.Arbitrary<ClientRequest> = fc.record({
  method: fc.constantFrom('POST', 'GET', 'PUT', 'DELETE'),
  path: fc.oneof(
    fc.constant('/'),
    fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
  ),
  query: fc.dictionary(
    parameterName,
    fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })),
    { maxKeys: 5 },
  ),
  headers: fc.dictionary(fc.oneof(fc.constant('x-amz-target'), headerName), headerValue, {
    maxKeys: 6,
  }),
  body: text,
});

const signings = fc.record({
  region: fc.constantFrom('eu-west-1', 'us-east-1', 'aws-global'),
  service: fc.constantFrom('ecr', 'sts', 'secretsmanager'),
  expiresSeconds: fc.option(fc.integer({ min: 1, max: 604_800 }), { nil: undefined }),
});

async function send(
  request: ClientRequest,
  { expiresSeconds, ...signing }: { expiresSeconds?: number | undefined } = {},
): Promise<SentRequest> {
  const presigned = expiresSeconds === undefined ? {} : { expiresSeconds };
  return await signedByAws(request, { pair, at, ...signing, ...presigned });
}

test('Every request that is signed is right, by header and by query.', async () => {
  await fc.assert(
    fc.asyncProperty(requests, signings, async (request, signing) => {
      const expected = `${pair.accessKeyId} ${signing.region} ${signing.service}`;
      equal(await outcome(await send(request, signing)), expected);
    }),
    { numRuns: 500 },
  );
});

test('The order of parameters and of header lines, and how they are encoded, says nothing.', async () => {
  await fc.assert(
    fc.asyncProperty(requests, signings, async (request, signing) => {
      const sent = await send(request, signing);
      const query = sent.query.split('&').toReversed().join('&').replaceAll('!', '%21');
      const pairs = sent.rawHeaders.flatMap((name, index) =>
        index % 2 === 0 ? [[name.toUpperCase(), `\t ${sent.rawHeaders[index + 1]}  `]] : [],
      );
      const rawHeaders = pairs
        .map(([name = '', value = '']) =>
          /^(authorization|x-amz-)/i.test(name)
            ? [name, value.replaceAll(/^[\t ]+|[\t ]+$/g, '')]
            : [name, value],
        )
        .toReversed()
        .flat();
      ok((await outcome({ ...sent, query, rawHeaders })).startsWith(pair.accessKeyId));
    }),
    { numRuns: 100 },
  );
});

test('A header of several lines is signed as one, with commas between.', async () => {
  const sent = await send({ headers: { 'x-list': 'a,b c,d' } });
  const at = sent.rawHeaders.indexOf('x-list');
  const rest = sent.rawHeaders.toSpliced(at, 2);
  const lines = ['x-list', ' a', 'X-List', 'b   c ', 'x-list', 'd'];
  ok((await outcome({ ...sent, rawHeaders: [...rest, ...lines] })).startsWith(pair.accessKeyId));
  const others = ['x-list', 'b c', 'x-list', 'a', 'x-list', 'd'];
  equal(await outcome({ ...sent, rawHeaders: [...rest, ...others] }), 'wrong');
});

/** Each makes another request of it. `n` chooses where. */
const changes: Readonly<Record<string, (sent: SentRequest, n: number) => SentRequest>> = {
  'another method': (sent) => ({ ...sent, method: sent.method === 'POST' ? 'PUT' : 'POST' }),
  'a longer path': (sent) => ({ ...sent, path: `${sent.path}x` }),
  'a further segment': (sent) => ({ ...sent, path: `${sent.path}/x` }),
  'a further parameter': (sent) => ({ ...sent, query: `${sent.query}&x` }),
  'a parameter that is empty': (sent) => ({ ...sent, query: `${sent.query}&` }),
  'a plus for a space': (sent) => ({ ...sent, query: `${sent.query}&a=%20`.replace('%20', '+') }),
  'another character of the query': (sent, n) => ({
    ...sent,
    query: sent.query === '' ? 'x=' : changedAt(sent.query, n),
  }),
  'another value of a signed header': (sent, n) => {
    const signed = signedAt(sent, n);
    return { ...sent, rawHeaders: sent.rawHeaders.with(signed, `${sent.rawHeaders[signed]}x`) };
  },
  'a signed header without its line': (sent, n) => ({
    ...sent,
    rawHeaders: sent.rawHeaders.toSpliced(signedAt(sent, n) - 1, 2),
  }),
  'a second line of a signed header': (sent, n) => {
    const signed = signedAt(sent, n);
    return { ...sent, rawHeaders: [...sent.rawHeaders, sent.rawHeaders[signed - 1] ?? '', 'x'] };
  },
  'a target that is not signed': (sent) => ({
    ...sent,
    rawHeaders: [...sent.rawHeaders, 'X-Amz-Target', 'AmazonEC2ContainerRegistry_V20150921.X'],
  }),
  'another body': (sent) => ({ ...sent, body: `${sent.body} ` }),
};

suite('a signed request is refused with', () => {
  for (const [name, change] of Object.entries(changes)) {
    test(name, async () => {
      await fc.assert(
        fc.asyncProperty(requests, signings, fc.nat(), async (request, signing, n) => {
          const sent = await send(request, signing);
          const changed = change(sent, n);
          const problem = await outcome(changed);
          ok(
            ['wrong', 'incomplete', 'unknownKey', 'late', 'early', 'missing'].includes(problem),
            problem,
          );
        }),
        { numRuns: 100 },
      );
    });
  }
});

/** Index of the value of the n-th line that is signed. */
function signedAt({ rawHeaders, query }: SentRequest, n: number): number {
  const at = rawHeaders.indexOf('authorization') + 1;
  const list =
    /SignedHeaders=([^,&]*)/.exec(
      at > 0 ? (rawHeaders[at] ?? '') : decodeURIComponent(query),
    )?.[1] ?? '';
  const names = list.split(';');
  return rawHeaders.indexOf(names[n % names.length] ?? '') + 1;
}

/** Another one of the characters that mean themselves. */
function changedAt(query: string, n: number): string {
  const places = [...query.matchAll(/(?<!%.?)[A-Za-z0-9]/g)].map(({ index }) => index);
  const place = places[n % places.length];
  if (place === undefined) return `${query}x`;
  const other = query[place] === 'x' ? 'y' : 'x';
  return `${query.slice(0, place)}${other}${query.slice(place + 1)}`;
}

test('A request for one scope is not right for another.', async () => {
  const sent = await send({ body: '{}' });
  const authorization = sent.rawHeaders.indexOf('authorization') + 1;
  const value = sent.rawHeaders[authorization] ?? '';
  const outcomes = await Promise.all(
    [
      value.replace('/ecr/', '/sts/'),
      value.replace('/eu-west-1/', '/eu-west-2/'),
      value.replace('/20261130/', '/20261129/'),
      value.replace('aws4_request', 'aws5_request'),
      value.replace(/Signature=./, 'Signature=z'),
      value.replace(';x-amz-date', ''),
      value.replace('host;', ''),
      value.replace(pair.accessKeyId, 'AKIASOMEBODYELSE'),
    ].map((other) => outcome({ ...sent, rawHeaders: sent.rawHeaders.with(authorization, other) })),
  );
  deepEqual(outcomes, [
    'wrong',
    'wrong',
    'wrong',
    'wrong',
    'incomplete',
    'wrong',
    'wrong',
    'unknownKey',
  ]);
});
