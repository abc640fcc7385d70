import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { requestFrom } from './admission.ts';

const request = {
  id: 'r-1',
  clientAddress: '203.0.113.9',
  secure: true,
  isLoopback: false,
};

test('policies see the first 1,024 characters of a header', () => {
  const headers = { 'user-agent': `${'a'.repeat(1024)}b` };
  equal(requestFrom({ ...request, headers }).userAgent, 'a'.repeat(1024));
});

test('a header that is missing stays so', () => {
  equal(requestFrom({ ...request, headers: {} }).userAgent, undefined);
});
