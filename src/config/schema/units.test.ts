import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';
import { formatListenAddress, listensTwice, parseListenAddress } from './listen-address.ts';
import { nearest } from '../../domain/nearest.ts';
import { parseMinFree, parseSize } from './size.ts';
import { parseAllowedHost, parseUpstreamUrl } from '../../domain/rules/upstream-url.ts';

const durations: readonly (readonly [string, number | undefined])[] = [
  ['0s', 0],
  ['800ms', 800],
  ['24h', 86_400_000],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  ['1d2h3m4s5ms', 93_784_005],
  ['', undefined],
  ['0', undefined],
  ['120', undefined],
  ['1.5h', undefined],
  ['-1s', undefined],
  ['1s1h', undefined],
  ['1 s', undefined],
  ['1S', undefined],
  ['s', undefined],
  ['1s\n', undefined],
  ['9'.repeat(400) + 's', undefined],
];
for (const [text, ms] of durations) {
  test(`the time ${JSON.stringify(text.slice(0, 20))} is ${ms === undefined ? 'refused' : `${ms} ms`}`, () => {
    assert.equal(parseDuration(text), ms);
  });
}

const sizes: readonly (readonly [string, number | undefined])[] = [
  ['0B', 0],
  ['512B', 512],
  ['64KiB', 65_536],
  ['64MiB', 67_108_864],
  ['1GiB', 1_073_741_824],
  ['2TiB', 2_199_023_255_552],
  ['5GB', 5_000_000_000],
  ['64', undefined],
  ['64Mi', undefined],
  ['64mib', undefined],
  ['1.5GiB', undefined],
  ['-1B', undefined],
  ['1iB', undefined],
  ['9007199254740993B', undefined],
  ['9999999999999999TiB', undefined],
  ['', undefined],
  ['5%', undefined],
];
for (const [text, bytes] of sizes) {
  test(`the size ${JSON.stringify(text)} is ${bytes === undefined ? 'refused' : `${bytes} bytes`}`, () => {
    assert.equal(parseSize(text), bytes);
  });
}

for (const [text, least] of [
  ['5%', { share: 0.05 }],
  ['0.5%', { share: 0.005 }],
  ['1GiB', { bytes: 2 ** 30 }],
  ['0%', undefined],
  ['100%', undefined],
  ['1023MiB', undefined],
  ['5', undefined],
] as const) {
  test(`the free space ${text} is ${least === undefined ? 'refused' : JSON.stringify(least)}`, () => {
    assert.deepEqual(parseMinFree(text), least);
  });
}

const addresses: readonly (readonly [string, readonly [string, number] | undefined])[] = [
  ['127.0.0.1:5000', ['127.0.0.1', 5000]],
  ['[::1]:5000', ['::1', 5000]],
  ['[::]:0', ['::', 0]],
  [':5000', ['', 5000]],
  ['localhost:65535', ['localhost', 65_535]],
  ['registry.corp:443', ['registry.corp', 443]],
  ['5000', undefined],
  ['127.0.0.1', undefined],
  ['127.0.0.1:', undefined],
  ['127.0.0.1:65536', undefined],
  ['127.0.0.1:-1', undefined],
  ['127.0.0.256:1', undefined],
  ['1.2.3:1', undefined],
  ['::1:5000', undefined],
  ['[127.0.0.1]:1', undefined],
  ['[::1', undefined],
  ['http://a:1', undefined],
  ['a b:1', undefined],
  ['*:5000', undefined],
  ['', undefined],
];
for (const [text, parts] of addresses) {
  test(`the address ${JSON.stringify(text)} is ${parts === undefined ? 'refused' : 'read and written as the same'}`, () => {
    const address = parseListenAddress(text);
    assert.deepEqual(address && [address.host, address.port], parts);
    if (address !== undefined) assert.equal(formatListenAddress(address), text);
  });
}

for (const [a, b, twice] of [
  ['127.0.0.1:1', '127.0.0.1:1', true],
  [':1', '127.0.0.1:1', true],
  ['127.0.0.1:1', '0.0.0.0:1', true],
  ['127.0.0.1:1', '127.0.0.2:1', false],
  ['127.0.0.1:1', '127.0.0.1:2', false],
  [':0', ':0', false],
] as const) {
  test(`${a} and ${b} ${twice ? 'cannot' : 'can'} both be listened to`, () => {
    const [one, other] = [parseListenAddress(a), parseListenAddress(b)];
    assert.ok(one !== undefined && other !== undefined);
    assert.equal(listensTwice(one, other), twice);
  });
}

const upstreams: readonly (readonly [string, readonly [string, string, boolean] | RegExp])[] = [
  ['quay.io', ['https://quay.io', 'quay.io', false]],
  ['Quay.IO', ['https://quay.io', 'quay.io', false]],
  ['https://quay.io', ['https://quay.io', 'quay.io', false]],
  ['https://quay.io/', ['https://quay.io', 'quay.io', false]],
  ['https://quay.io:443', ['https://quay.io', 'quay.io', false]],
  ['http://registry.corp:80', ['http://registry.corp', 'registry.corp', true]],
  ['http://127.0.0.1:5050', ['http://127.0.0.1:5050', '127.0.0.1:5050', true]],
  ['registry.corp:5000', ['https://registry.corp:5000', 'registry.corp:5000', false]],
  ['[::1]:5000', ['https://[::1]:5000', '[::1]:5000', false]],
  ['docker.io', ['https://registry-1.docker.io', 'registry-1.docker.io', false]],
  ['https://index.docker.io', ['https://registry-1.docker.io', 'registry-1.docker.io', false]],
  ['registry.hub.docker.com', ['https://registry-1.docker.io', 'registry-1.docker.io', false]],
  ['k8s.gcr.io', ['https://k8s.gcr.io', 'k8s.gcr.io', false]],
  ['', /not a host or URL/],
  ['https://', /not a host or URL/],
  ['a b', /not a host/],
  ['quay.io/coreos', /write quay\.io, and what follows it as upstreamPrefix/],
  ['https://quay.io/v2/', /upstreamPrefix/],
  ['https://quay.io?x', /more than a host/],
  ['https://quay.io#x', /more than a host/],
  ['https://user:secret@quay.io', /put them into secretsFile/],
  ['user@quay.io', /put them into secretsFile/],
  ['oci://quay.io', /https:\/\/ or http:\/\/ instead of oci:\/\//],
  ['docker://quay.io', /instead of docker:\/\//],
  ['ftp://quay.io', /instead of ftp:\/\//],
  ['quay.io:70000', /not a host or URL/],
  ['https://-.io', /not a host/],
  ['https:\\\\quay.io', /not a host|more than/],
];
for (const [text, expected] of upstreams) {
  test(`the upstream ${JSON.stringify(text)} is ${expected instanceof RegExp ? 'refused' : expected[0]}`, () => {
    const url = parseUpstreamUrl(text);
    if (expected instanceof RegExp) {
      assert.ok('problem' in url);
      assert.match(url.problem, expected);
      assert.doesNotMatch(url.problem, /secret@|:secret/);
    } else {
      assert.deepEqual(url, { origin: expected[0], host: expected[1], plain: expected[2] });
    }
  });
}

for (const [text, host] of [
  ['Auth.Docker.io', 'auth.docker.io'],
  ['a.io:443', 'a.io'],
  ['a.io:8443', 'a.io:8443'],
  ['https://a.io', undefined],
  ['a.io/x', undefined],
  ['*.a.io', undefined],
  ['', undefined],
] as const) {
  test(`the allowed host ${JSON.stringify(text)} is ${host ?? 'refused'}`, () => {
    assert.equal(parseAllowedHost(text), host);
  });
}

for (const [word, meant] of [
  ['chache', 'cache'],
  ['drian', 'drain'],
  ['LISTEN', 'listen'],
  ['rule', 'rules'],
  ['registryId', undefined],
  ['x'.repeat(100_000), undefined],
] as const) {
  test(`${word.slice(0, 20)} means ${meant ?? 'nothing known'}`, () => {
    assert.equal(nearest(word, ['listen', 'cache', 'drain', 'rules', 'limits']), meant);
  });
}
