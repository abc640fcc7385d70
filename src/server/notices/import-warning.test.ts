import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { importWarning } from './import-warning.ts';

const here = { host: '127.0.0.1', port: 5000 };
const everywhere = { host: '0.0.0.0', port: 5000 };
const settings = {
  listen: here,
  hubMirrorListen: undefined,
  publicUrl: '',
  anonymousPull: true,
  anonymousImport: 'loopback',
} as const;

for (const [name, change] of [
  ['A server of this machine', {}],
  ['A server that fetches for everyone', { listen: everywhere, anonymousImport: true }],
  ['A public name of this machine', { publicUrl: 'http://localhost:5000' }],
  ['A Hub mirror of this machine', { hubMirrorListen: here }],
] as const)
  test(`${name} has nothing to say.`, () => {
    equal(importWarning({ ...settings, ...change }), undefined);
  });

for (const [name, change, begins] of [
  ['every address', { listen: everywhere }, 'listen: 0.0.0.0:5000 is reached'],
  [
    'every address, imports off',
    { listen: { host: '', port: 5000 }, anonymousImport: false },
    'listen: :5000 is reached',
  ],
  [
    'every address, pulls off',
    { listen: everywhere, anonymousPull: false, anonymousImport: true },
    'listen: 0.0.0.0:5000 is reached',
  ],
  [
    'a Hub mirror for others',
    { hubMirrorListen: { host: '10.0.0.1', port: 5002 } },
    'hubMirrorListen: 10.0.0.1:5002 is reached',
  ],
  [
    'a proxy in front',
    { publicUrl: 'https://r.example' },
    'publicUrl: https://r.example is reached',
  ],
] as const)
  test(`Other machines that may not import are told of: ${name}.`, () => {
    const warning = importWarning({ ...settings, ...change }) ?? '';
    equal(warning.slice(0, begins.length), begins);
    match(warning, /\((?:anonymousImport: (?:loopback|false)|anonymousPull: false)\)/);
    match(warning, /set anonymousImport: true/);
    equal(warning.includes('\n'), false);
  });
