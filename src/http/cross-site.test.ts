import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { crossSiteReason } from './cross-site.ts';

const rows: readonly (readonly [
  name: string,
  headers: Readonly<Record<string, string>>,
  reason: string | undefined,
])[] = [
  ['a client of registries', {}, undefined],
  ['a page of ours', { 'sec-fetch-site': 'same-origin' }, undefined],
  ['somebody who types the address', { 'sec-fetch-site': 'none' }, undefined],
  ['a page of another site', { 'sec-fetch-site': 'cross-site' }, 'sec-fetch-site: cross-site'],
  ['a page of a sibling site', { 'sec-fetch-site': 'same-site' }, 'sec-fetch-site: same-site'],
  [
    'what no browser says',
    { 'sec-fetch-site': 'same-origin, cross-site' },
    'sec-fetch-site: same-origin, cross-site',
  ],
  [
    'a page of ours behind a proxy that hides its name',
    { 'sec-fetch-site': 'same-origin', origin: 'https://elsewhere.example' },
    undefined,
  ],
  ['a page of ours over plain http', { origin: 'http://registry.example.com:5000' }, undefined],
  ['a page of the public name', { origin: 'https://public.example.com' }, undefined],
  [
    'another port of the same host',
    { origin: 'http://registry.example.com:8080' },
    'origin: http://registry.example.com:8080',
  ],
  [
    'a foreign page over plain http',
    { origin: 'http://evil.example' },
    'origin: http://evil.example',
  ],
  [
    'a page whose name begins as ours',
    { origin: 'http://registry.example.com.evil.example:5000' },
    'origin: http://registry.example.com.evil.example:5000',
  ],
  ['a page without an origin of its own', { origin: 'null' }, 'origin: null'],
];
for (const [name, headers, reason] of rows) {
  test(`${name} is ${reason === undefined ? 'answered' : 'of another site'}`, () => {
    const request = { headers, host: 'registry.example.com:5000' };
    equal(crossSiteReason(request, 'https://public.example.com'), reason);
  });
}

test('the default port may be left out', () => {
  const headers = { origin: 'https://registry.example.com' };
  equal(crossSiteReason({ headers, host: 'registry.example.com:443' }, ''), undefined);
  equal(crossSiteReason({ headers, host: undefined }, ''), 'origin: https://registry.example.com');
});
