import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { IpBlock } from '../domain/names/ip-address.ts';
import { parseIpBlock } from '../domain/names/ip-address.ts';
import type { ClientRules } from './client.ts';
import { clientBehind, isForwarded, isOwnHost, isTrustedProxy } from './client.ts';
import { isLoopbackAddress } from '../domain/names/ip-address.ts';

function rulesOf(...trusted: readonly string[]): ClientRules {
  const blocks = trusted.map((text) => parseIpBlock(text)).filter((one): one is IpBlock => !!one);
  return {
    trustedProxies: () => blocks,
    isOwnName: (hostname) => hostname === 'registry.example.com',
  };
}

const proxies = rulesOf('10.0.0.0/8', '127.0.0.1', '::1', '2001:db8:1::/48');

type Headers = Readonly<Record<string, string>>;

function behind(headers: Headers, peer = '10.0.0.1', secure = false): readonly unknown[] {
  const head = { headers: { host: 'inner:5000', ...headers }, httpVersion: '1.1' };
  const connection = { clientAddress: peer, secure };
  const client = clientBehind(connection, head, proxies);
  return [client.address, client.secure, client.host, client.isLoopback];
}

const rows: readonly (readonly [
  name: string,
  headers: Headers,
  expected: readonly unknown[],
  peer?: string,
])[] = [
  ['no headers', {}, ['10.0.0.1', false, 'inner:5000', false]],
  ['one client', { 'x-forwarded-for': '203.0.113.9' }, ['203.0.113.9', false, 'inner:5000', false]],
  [
    'what the client wrote itself stands further left',
    { 'x-forwarded-for': '127.0.0.1, 198.51.100.1,203.0.113.9' },
    ['203.0.113.9', false, 'inner:5000', false],
  ],
  [
    'several proxies',
    { 'x-forwarded-for': '1.2.3.4, 203.0.113.9, 10.1.1.1 ,10.2.2.2' },
    ['203.0.113.9', false, 'inner:5000', false],
  ],
  [
    'a client among the trusted addresses',
    { 'x-forwarded-for': '10.9.9.9, 10.1.1.1' },
    ['10.9.9.9', false, 'inner:5000', false],
  ],
  [
    'IPv6, with and without a port',
    { 'x-forwarded-for': '[2001:DB8::7]:4711, 2001:db8:1::5' },
    ['2001:db8::7', false, 'inner:5000', false],
  ],
  [
    'IPv4 with a port',
    { 'x-forwarded-for': '203.0.113.9:4711' },
    ['203.0.113.9', false, 'inner:5000', false],
  ],
  [
    'a proxy that does not tell the address',
    { 'x-forwarded-for': '203.0.113.9, unknown' },
    ['10.0.0.1', false, 'inner:5000', false],
  ],
  ['an empty value', { 'x-forwarded-for': '' }, ['10.0.0.1', false, 'inner:5000', false]],
  [
    'one that is not readable behind a proxy that is',
    { 'x-forwarded-for': '203.0.113.9, _hidden, 10.1.1.1' },
    ['10.1.1.1', false, 'inner:5000', false],
  ],
  [
    'scheme and host',
    {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'HTTPS',
      'x-forwarded-host': 'registry.example.com',
    },
    ['203.0.113.9', true, 'registry.example.com', false],
  ],
  [
    'lists of both, of which the one for that proxy counts',
    {
      'x-forwarded-for': '6.6.6.6, 203.0.113.9, 10.1.1.1',
      'x-forwarded-proto': 'http, https, http',
      'x-forwarded-host': 'evil.example, registry.example.com, inner',
    },
    ['203.0.113.9', true, 'registry.example.com', false],
  ],
  [
    'a scheme and a host that are none',
    {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'gopher',
      'x-forwarded-host': 'a/b" c',
    },
    ['203.0.113.9', false, 'inner:5000', false],
  ],
  [
    'somebody on this machine, by a name of this server',
    { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'registry.example.com:443' },
    ['127.0.0.1', false, 'registry.example.com:443', true],
    '127.0.0.1',
  ],
  [
    'somebody on the machine of a proxy elsewhere, or who says so to one that believes all of its network',
    { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'registry.example.com:443' },
    ['127.0.0.1', false, 'registry.example.com:443', false],
  ],
  [
    'somebody on the machine of a proxy elsewhere, behind one on this machine',
    { 'x-forwarded-for': '127.0.0.1, 10.1.1.1', host: 'localhost' },
    ['127.0.0.1', false, 'localhost', false],
    '127.0.0.1',
  ],
  [
    'somebody on this machine behind two proxies on it',
    { 'x-forwarded-for': '127.0.0.9, 127.0.0.1', host: 'localhost' },
    ['127.0.0.9', false, 'localhost', true],
    '::1',
  ],
  [
    'somebody on this machine, by a foreign name',
    { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'evil.example' },
    ['127.0.0.1', false, 'evil.example', false],
    '127.0.0.1',
  ],
];

suite('a trusted proxy says who asks:', () => {
  for (const [name, headers, expected, peer] of rows)
    test(name, () => deepEqual(behind(headers, peer), expected));

  test('a proxy that speaks TLS to us for a client that does not', () => {
    deepEqual(behind({ 'x-forwarded-proto': 'http' }, '10.0.0.1', true)[1], false);
    deepEqual(behind({}, '10.0.0.1', true)[1], true);
  });

  test('one on this machine that does not tell is not a client on it', () => {
    deepEqual(behind({ host: 'localhost' }, '127.0.0.1'), ['127.0.0.1', false, 'localhost', false]);
  });

  test('whatever a client sends before it, its address is the one that the proxy adds', () => {
    const entry = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('10.1.1.1'), fc.string());
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 40 }), (sent) => {
        const list = [...sent, '203.0.113.9'].join(', ');
        equal(behind({ 'x-forwarded-for': list })[0], '203.0.113.9');
      }),
    );
  });
});

const peers: readonly (readonly [address: string, isTrusted: boolean])[] = [
  ['10.255.0.1', true],
  ['::ffff:10.0.0.1', true],
  ['::1', true],
  ['2001:db8:1::9', true],
  ['2001:db8:2::9', false],
  ['11.0.0.1', false],
  ['', false],
];
for (const [address, isTrusted] of peers) {
  test(`"${address}" is ${isTrusted ? 'a' : 'no'} trusted proxy`, () => {
    equal(isTrustedProxy(address, proxies), isTrusted);
    equal(isTrustedProxy(address, rulesOf()), false);
  });
}

const hosts: readonly (readonly [host: string | undefined, isOwn: boolean])[] = [
  ['localhost', true],
  ['LocalHost:5000', true],
  ['localhost.', true],
  ['000000000000.dkr.ecr.us-east-1.localhost:5000', true],
  ['127.0.0.1:5000', true],
  ['127.9.9.9', true],
  ['[::1]:5000', true],
  ['192.0.2.7:5001', true],
  ['[2001:db8::1]', true],
  ['registry.example.com:443', true],
  ['evil.example', false],
  ['evil.example:5000', false],
  ['127.0.0.1.evil.example', false],
  ['localhost.evil.example', false],
  ['notlocalhost', false],
  ['2130706433', false],
  ['0x7f.1', false],
  ['.localhost.evil.example', false],
  ['', false],
  [undefined, false],
];
for (const [host, isOwn] of hosts) {
  test(`Host ${host ?? 'that is missing'} is ${isOwn ? 'a name of ours' : 'foreign'}`, () => {
    equal(isOwnHost(host, proxies), isOwn);
  });
}

const addresses: readonly (readonly [address: string, isLoopback: boolean])[] = [
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:7f00:1', true],
  ['10.1.2.3', false],
  ['::ffff:10.1.2.3', false],
  ['::', false],
  ['::2', false],
  ['127.0.0.1.example.org', false],
  ['', false],
];
for (const [address, isLoopback] of addresses) {
  test(`${address} is ${isLoopback ? '' : 'not '}loopback`, () => {
    equal(isLoopbackAddress(address), isLoopback);
  });
}

const signs: readonly (readonly [name: string, headers: Headers, version?: string])[] = [
  ['X-Forwarded-For', { 'x-forwarded-for': '1.2.3.4' }],
  ['an empty X-Forwarded-For', { 'x-forwarded-for': '' }],
  ['Forwarded', { forwarded: 'for=1.2.3.4' }],
  ['Via', { via: '1.1 proxy' }],
  ['X-Real-IP', { 'x-real-ip': '1.2.3.4' }],
  ['X-Forwarded-Proto', { 'x-forwarded-proto': 'https' }],
  ['X-Forwarded-Host', { 'x-forwarded-host': 'a' }],
  ['HTTP/1.0', {}, '1.0'],
];
for (const [name, headers, httpVersion = '1.1'] of signs)
  test(`${name} is a proxy's`, () => equal(isForwarded({ headers, httpVersion }), true));
test('a client of its own has none of them', () => {
  equal(isForwarded({ headers: { host: 'localhost' }, httpVersion: '1.1' }), false);
});
