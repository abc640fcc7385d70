import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProxyChoice } from './proxy.ts';

const env = {
  HTTP_PROXY: 'http://plain:3128',
  https_proxy: 'secure:3129',
  HTTPS_PROXY: 'http://unused:1',
};
const plain = 'http://plain:3128/';
const secure = 'http://secure:3129/';

const rows: readonly (readonly [string, string, string, string | undefined])[] = [
  ['plain', '', 'http://a.com', plain],
  ['secure, the lower-case variable first', '', 'https://a.com', secure],
  ['a star', '*', 'https://a.com', undefined],
  ['a host', 'b.com, a.com', 'https://a.com', undefined],
  ['a domain of a host', 'a.com', 'https://x.a.com', undefined],
  ['a leading dot', '.a.com', 'https://x.a.com', undefined],
  ['no part of a name', 'a.com', 'https://ba.com', secure],
  ['the right port', 'a.com:5000', 'https://a.com:5000', undefined],
  ['the scheme’s own port', 'a.com:443', 'https://a.com', undefined],
  ['another port', 'a.com:5000', 'https://a.com', secure],
  ['an address', '10.0.0.1', 'http://10.0.0.1:5000', undefined],
  ['a block', '10.0.0.0/8', 'http://10.9.8.7', undefined],
  ['outside of a block', '10.0.0.0/8', 'http://11.9.8.7', plain],
  ['an IPv6 address', '::1', 'http://[::1]:5000', undefined],
  ['an IPv6 address with a port', '[::1]:5000', 'http://[::1]:5000', undefined],
  ['a broken block', '10.0.0.0/99', 'http://10.9.8.7', plain],
];
for (const [name, exceptions, url, expected] of rows) {
  test(`a proxy is chosen: ${name}`, () => {
    assert.equal(createProxyChoice({ ...env, NO_PROXY: exceptions })(new URL(url)), expected);
  });
}

test('no variables, no proxy', () =>
  assert.equal(createProxyChoice({})(new URL('https://a.com')), undefined));

test('a proxy that is no http URL is an error at the start', () => {
  assert.throws(
    () => createProxyChoice({ HTTPS_PROXY: 'socks5://user:secret@x:1' }),
    (error: Error) => !error.message.includes('secret'),
  );
});
