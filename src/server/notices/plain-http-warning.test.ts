import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { plainHttpWarning } from './plain-http-warning.ts';

const tls = { certFile: '/etc/server.crt', keyFile: '/etc/server.key' };

for (const host of [
  '127.0.0.1',
  '127.8.9.10',
  '::1',
  '::ffff:127.0.0.1',
  'localhost',
  'LocalHost',
]) {
  test(`Plain HTTP on ${host} stays on this machine.`, () => {
    equal(
      plainHttpWarning({ listen: { host, port: 5000 }, tls: undefined, publicUrl: '' }),
      undefined,
    );
  });
}

const beyond: readonly (readonly [host: string, shown: string])[] = [
  ['', ':5000'],
  ['0.0.0.0', '0.0.0.0:5000'],
  ['::', '[::]:5000'],
  ['192.0.2.1', '192.0.2.1:5000'],
  ['10.1.2.3', '10.1.2.3:5000'],
  ['2001:db8::1', '[2001:db8::1]:5000'],
  ['registry.example', 'registry.example:5000'],
];
for (const [host, shown] of beyond) {
  test(`Plain HTTP on ${shown} is warned of, with the setting and the fix.`, () => {
    const listen = { host, port: 5000 };
    const warning = plainHttpWarning({ listen, tls: undefined, publicUrl: 'http://r.example' });
    equal(warning?.slice(0, warning.indexOf(' beyond')), `listen: ${shown} speaks plain HTTP`);
    match(warning ?? '', /tls\.certFile and tls\.keyFile \(breakwater tls init/);
    equal(warning?.includes('\n'), false);
  });
}

test('With TLS there is nothing to warn of.', () => {
  equal(plainHttpWarning({ listen: { host: '', port: 5000 }, tls, publicUrl: '' }), undefined);
});

test('A public URL of https says that a proxy in front speaks TLS.', () => {
  const listen = { host: '0.0.0.0', port: 5000 };
  const publicUrl = 'https://registry.example';
  equal(plainHttpWarning({ listen, tls: undefined, publicUrl }), undefined);
});
