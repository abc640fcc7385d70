import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AddressClass } from './address-guard.ts';
import { admits, classifyAddress, classifyHost } from './address-guard.ts';

const rows: readonly (readonly [string, AddressClass | undefined])[] = [
  ['8.8.8.8', 'public'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['10.0.0.1', 'private'],
  ['172.15.255.255', 'public'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['172.32.0.0', 'public'],
  ['192.168.0.1', 'private'],
  ['100.64.0.1', 'private'],
  ['100.100.100.200', 'never'],
  ['169.254.169.254', 'never'],
  ['168.63.129.16', 'never'],
  ['0.0.0.0', 'never'],
  ['224.0.0.1', 'never'],
  ['255.255.255.255', 'never'],
  ['2606:4700::1111', 'public'],
  ['::1', 'loopback'],
  ['[::1]', 'loopback'],
  ['::', 'never'],
  ['fe80::1', 'never'],
  ['fe80::1%eth0', 'never'],
  ['febf::1', 'never'],
  ['fd00:ec2::254', 'never'],
  ['fd00::1', 'private'],
  ['fc00::1', 'private'],
  ['ff02::1', 'never'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:169.254.169.254', 'never'],
  ['::ffff:a9fe:a9fe', 'never'],
  ['::ffff:8.8.8.8', 'public'],
  ['::127.0.0.1', 'loopback'],
  ['::ffff:0:169.254.169.254', 'never'],
  ['64:ff9b::169.254.169.254', 'never'],
  ['64:ff9b::10.0.0.1', 'private'],
  ['2002:a9fe:a9fe::', 'never'],
  ['2002:808:808::1', 'public'],
  ['registry.example', undefined],
  ['127.1', undefined],
];
for (const [address, expected] of rows) {
  test(`the address ${address} is ${expected ?? 'no literal'}`, () =>
    assert.equal(classifyAddress(address), expected));
}

test('names that mean this machine or a metadata service are known without DNS', () => {
  assert.deepEqual(
    ['LOCALHOST', 'a.localhost', 'localhost.', 'metadata.google.internal', 'localhost.com'].map(
      classifyHost,
    ),
    ['loopback', 'loopback', 'loopback', 'never', undefined],
  );
});

test('an admission admits its own class and what is wider known, and only "any" admits "never"', () => {
  const classes = ['public', 'private', 'loopback', 'never'] as const;
  const admitted = (admission: 'any' | 'loopback' | 'private' | 'public'): readonly string[] =>
    classes.filter((one) => admits(admission, one));
  assert.deepEqual(admitted('any'), classes);
  assert.deepEqual(admitted('loopback'), ['public', 'private', 'loopback']);
  assert.deepEqual(admitted('private'), ['public', 'private']);
  assert.deepEqual(admitted('public'), ['public']);
});

test('an IPv4 address has the same class in IPv6 clothes', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const expected = classifyAddress(address);
      assert.equal(classifyAddress(`::ffff:${address}`), expected);
      assert.equal(classifyAddress(`64:ff9b::${address}`), expected);
      assert.equal(classifyAddress(new URL(`http://[::ffff:${address}]/`).hostname), expected);
    }),
  );
});

test('every IPv6 address has a class', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => assert.notEqual(classifyAddress(address), undefined)),
  );
});
