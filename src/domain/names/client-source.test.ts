import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { sourceOf } from './client-source.ts';

for (const [address, source] of [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::1', '0:0:0:0'],
  ['2001:db8:1:2::1', '2001:db8:1:2'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0DB8:0001:0002::', '2001:db8:1:2'],
  ['2001:db8::1:2', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
  ['', ''],
  ['unknown', 'unknown'],
  ['x'.repeat(200), 'x'.repeat(128)],
  [`:${'x'.repeat(200)}`, `:${'x'.repeat(127)}`],
] as const) {
  test(`${address} is the source ${source}`, () => {
    equal(sourceOf(address), source);
  });
}
