import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { isInBlock, parseIp, parseIpAddress, parseIpBlock } from './ip-address.ts';

/** Near misses as well as addresses. */
const texts = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.string({
    unit: fc.constantFrom('0', '1', 'f', '255', ':', '::', '.', '%', '/'),
    maxLength: 12,
  }),
);

test('a text is an address where Node says so, and of the same version', () => {
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(parseIp(text)?.version ?? 0, isIP(text));
    }),
    { numRuns: 3000 },
  );
});

test('a zone is dropped, however long it is', () => {
  for (const zone of ['eth0', 'en-1.2', 'a:b', 'x'.repeat(500)]) {
    assert.equal(isIP(`fe80::1%${zone}`), 6);
    assert.deepEqual(parseIp(`fe80::1%${zone}`), parseIp('fe80::1'));
  }
});

test('an address is in a block where Node says so', () => {
  const four = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }));
  const six = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }));
  // One octet of difference, so that some are inside.
  const near = fc.tuple(
    fc.constantFrom('10.0.0.', '10.0.1.', '2001:db8::', '2001:db8:1::'),
    fc.nat(255),
  );
  fc.assert(
    fc.property(fc.oneof(four, six), near, ([network, bits], [head, tail]) => {
      const list = new BlockList();
      const version = isIP(network) === 4 ? 'ipv4' : 'ipv6';
      list.addSubnet(network, bits, version);
      const block = parseIpBlock(`${network}/${bits}`);
      assert.ok(block !== undefined);
      for (const text of [`${head}${tail.toString()}`, network]) {
        const address = parseIpAddress(text);
        assert.ok(address !== undefined);
        if (text.includes(':') !== network.includes(':')) continue;
        if (address.version !== block.version) continue;
        assert.equal(isInBlock(address, block), list.check(text, version), text);
      }
    }),
    { numRuns: 2000 },
  );
});

const rows: readonly (readonly [address: string, block: string, within: boolean])[] = [
  ['10.1.2.3', '10.0.0.0/8', true],
  ['11.1.2.3', '10.0.0.0/8', false],
  ['10.1.2.3', '10.9.9.9/8', true],
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.4', '10.1.2.3', false],
  ['10.1.2.3', '0.0.0.0/0', true],
  ['::ffff:10.1.2.3', '10.0.0.0/8', true],
  ['10.1.2.3', '::ffff:10.0.0.0/104', true],
  ['10.1.2.3', '::/0', false],
  ['2001:db8::1', '0.0.0.0/0', false],
  ['2001:db8::1', '::/0', true],
  ['2001:db8:ffff::1', '2001:db8::/32', true],
  ['2001:db9::1', '2001:db8::/32', false],
  ['fe80::1%eth0', 'fe80::/10', true],
  ['::1', '::1', true],
  ['::1', '::1/127', true],
  ['::2', '::1/127', false],
];
for (const [address, block, within] of rows) {
  test(`${address} is ${within ? '' : 'not '}in ${block}`, () => {
    const [parsed, parsedBlock] = [parseIpAddress(address), parseIpBlock(block)];
    assert.ok(parsed !== undefined && parsedBlock !== undefined);
    assert.equal(isInBlock(parsed, parsedBlock), within);
  });
}

for (const text of [
  '',
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.0/',
  '10.0.0/8',
  '::/129',
  '::1%eth0/64',
  '10.0.0.0/8/8',
  '010.0.0.1',
  'a',
  ' ::1',
  '10.0.0.0/-1',
  '10.0.0.0/8\n',
]) {
  test(`${JSON.stringify(text)} is no block`, () => assert.equal(parseIpBlock(text), undefined));
}
