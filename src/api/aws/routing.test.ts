import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Incoming } from '../../http/reply.ts';
import { isAwsRequest } from './routing.ts';

const authorization = 'AWS4-HMAC-SHA256 Credential=AKIA/20261130/us-east-1/eks/aws4_request';

suite('a request outside /v2/ and /api/', () => {
  for (const [what, request, isAws] of [
    ['GET / of a browser', { method: 'GET', path: '/' }, false],
    ['HEAD / of a browser', { method: 'HEAD', path: '/' }, false],
    [
      'GET / with a password',
      { method: 'GET', path: '/', headers: { authorization: 'Basic eA==' } },
      false,
    ],
    ['GET of a page', { method: 'GET', path: '/favicon.ico', query: 'Action=x' }, false],
    ['POST to a page', { method: 'POST', path: '/login' }, false],
    ['POST /', { method: 'POST', path: '/' }, true],
    ['a presigned URL', { method: 'GET', path: '/', query: 'Action=x&X-Amz-Signature=00' }, true],
    [
      'a signed GET of a path',
      { method: 'GET', path: '/clusters', headers: { authorization } },
      true,
    ],
    [
      'a call in CBOR',
      {
        method: 'POST',
        path: '/service/a/operation/b',
        headers: { 'smithy-protocol': 'rpc-v2-cbor' },
      },
      true,
    ],
  ] as const)
    test(`${what} is ${isAws ? 'for the AWS APIs' : 'for the registry'}`, () => {
      const whole = { query: '', headers: {}, ...request } as unknown as Incoming;
      assert.equal(isAwsRequest(whole), isAws);
    });
});
