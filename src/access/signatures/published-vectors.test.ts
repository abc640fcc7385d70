// The requests and signatures of AWS's Signature Version 4 test suite and of its documentation, as far as they are published.
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { hash } from 'node:crypto';
import { suite, test } from 'node:test';
import { signaturesOf, someClient } from '../../../tests/support/rigs/signature-rig.ts';
import type { SignedIdentity } from '../access.ts';

interface Vector {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  /** Beside Host and X-Amz-Date, in their order. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly signature: string;
}

const vanilla = '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31';
const postVanilla = '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b';
const form = ['Content-Type', 'application/x-www-form-urlencoded'] as const;

const vectors: readonly Vector[] = [
  { name: 'get-vanilla', signature: vanilla },
  { name: 'post-vanilla', method: 'POST', signature: postVanilla },
  {
    name: 'get-vanilla-query-order-key-case',
    query: 'Param2=value2&Param1=value1',
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  {
    name: 'get-vanilla-empty-query-key',
    query: 'Param1=value1',
    signature: 'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
  },
  {
    name: 'get-vanilla-utf8-query',
    query: '\u00e1\u0088\u00b4=bar',
    signature: '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
  },
  {
    name: 'get-vanilla-query-unreserved',
    query:
      '-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
    signature: '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
  },
  {
    name: 'get-unreserved',
    path: '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
    signature: '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  },
  {
    name: 'get-utf8',
    path: '/\u00e1\u0088\u00b4',
    signature: '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85',
  },
  {
    name: 'get-space',
    path: '/example space/',
    signature: '652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741',
  },
  { name: 'get-slash', path: '//', signature: vanilla },
  { name: 'get-slash-dot-slash', path: '/./', signature: vanilla },
  { name: 'get-relative', path: '/example/..', signature: vanilla },
  { name: 'get-relative-relative', path: '/example1/example2/../..', signature: vanilla },
  {
    name: 'get-slash-pointless-dot',
    path: '/./example',
    signature: 'ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5',
  },
  {
    name: 'get-slashes',
    path: '//example//',
    signature: '9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84',
  },
  {
    name: 'get-header-key-duplicate',
    headers: [
      ['My-Header1', 'value2'],
      ['My-Header1', 'value2'],
      ['My-Header1', 'value1'],
    ],
    signature: 'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
  },
  {
    name: 'get-header-value-order',
    headers: [
      ['My-Header1', 'value4'],
      ['My-Header1', 'value1'],
      ['My-Header1', 'value3'],
      ['My-Header1', 'value2'],
    ],
    signature: '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
  },
  {
    name: 'get-header-value-trim',
    headers: [
      ['My-Header1', ' value1'],
      ['My-Header2', ' "a   b   c"'],
    ],
    signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  },
  {
    name: 'post-header-key-sort',
    method: 'POST',
    headers: [['My-Header1', 'value1']],
    signature: 'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  },
  {
    name: 'post-header-value-case',
    method: 'POST',
    headers: [['My-Header1', 'VALUE1']],
    signature: 'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
  },
  {
    name: 'post-x-www-form-urlencoded',
    method: 'POST',
    headers: [form],
    body: 'Param1=value1',
    signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  },
];

/** The published pair, at the time that all of them are signed for. */
const signatures = signaturesOf(
  { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  Date.UTC(2015, 7, 30, 12, 36),
);

async function verify(
  { method = 'GET', path = '/', query = '', headers = [], body = '', signature }: Vector,
  { host = 'example.amazonaws.com', service = 'service' } = {},
): Promise<SignedIdentity> {
  const lines = [['Host', host], ...headers, ['X-Amz-Date', '20150830T123600Z']];
  const names = [...new Set(lines.map(([name = '']) => name.toLowerCase()))].toSorted();
  const authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/${service}/aws4_request, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  const rawHeaders = [...lines, ['Authorization', authorization]].flat();
  const claim = await signatures.begin({ method, path, query, rawHeaders }, someClient);
  return await claim.verify(hash('sha256', body, 'buffer'));
}

suite(
  'a request of AWS’s test suite is right with its published signature, and with no other',
  () => {
    for (const vector of vectors) {
      test(vector.name, async () => {
        const { accessKeyId, region, service } = await verify(vector);
        deepEqual([accessKeyId, region, service], ['AKIDEXAMPLE', 'us-east-1', 'service']);
        const other = vector.signature.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
        await rejects(verify({ ...vector, signature: other }), { problem: 'wrong' });
      });
    }
  },
);

test('The example of the documentation, IAM’s ListUsers, is right.', async () => {
  const { service } = await verify(
    {
      name: 'ListUsers',
      query: 'Action=ListUsers&Version=2010-05-08',
      headers: [['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8']],
      signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    },
    { host: 'iam.amazonaws.com', service: 'iam' },
  );
  equal(service, 'iam');
});
