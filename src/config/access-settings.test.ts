import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { homeRegistryOf } from '../domain/names/registry.ts';
import type { Config } from './config.ts';
import { ConfigError, formatProblem } from './config-error.ts';
import { UnreadableFile } from './file-reader.ts';
import type { LoadedConfig } from './load.ts';
import { readConfig } from './load.ts';

async function load(
  text: string,
  { env = {}, ca }: { readonly env?: Record<string, string>; readonly ca?: string } = {},
): Promise<LoadedConfig> {
  const files: Readonly<Record<string, string | undefined>> = {
    '/b/c.yaml': text,
    '/b/ca.pem': ca,
  };
  return await readConfig({
    file: 'c.yaml',
    cwd: '/b',
    env,
    readFile: async (path) => {
      const content = files[path];
      if (content === undefined) throw new UnreadableFile('does not exist');
      return { bytes: new TextEncoder().encode(content), mode: 0o600, changedAt: 5 };
    },
  });
}

async function told(text: string): Promise<string[]> {
  try {
    await load(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => formatProblem(problem));
  }
}

const accepted: readonly (readonly [text: string, pick: (config: Config) => unknown, unknown])[] = [
  ['registryId: "123456789012"', (config) => config.registryId, '123456789012'],
  ['organizationId: o-a1b2c3d4e5', (config) => config.organizationId, 'o-a1b2c3d4e5'],
  ['regions: any', (config) => config.regions, 'any'],
  ['regions: any', homeRegistryOf, '000000000000/us-east-1'],
  ['regions: [eu-central-1, us-gov-east-1]', homeRegistryOf, '000000000000/eu-central-1'],
  ['anonymousPull: false', (config) => config.anonymousPull, false],
  ['anonymousImport: true', (config) => config.anonymousImport, true],
  ['anonymousImport: false', (config) => config.anonymousImport, false],
  ['anonymousImport: loopback', (config) => config.anonymousImport, 'loopback'],
  ['trustedProxies: []', (config) => config.trustedProxies, []],
  [
    'trustedProxies: [127.0.0.1, "2001:db8::/32"]',
    (config) => config.trustedProxies.map(({ version, bits }) => [version, bits]),
    [
      [4, 32],
      [6, 32],
    ],
  ],
  ['createOnPush: false', (config) => config.createOnPush, false],
  ['sparseIndexes: true', (config) => config.sparseIndexes, true],
  ['rules: [{prefix: a, upstream: b, push: true}]', (config) => config.rules[0]?.push, true],
];
for (const [text, pick, expected] of accepted) {
  test(`${text} is ${JSON.stringify(expected)}`, async () => {
    assert.deepEqual(pick((await load(text)).config), expected);
  });
}

test('the environment gives regions, anonymousImport and trustedProxies too', async () => {
  const { config } = await load('', {
    env: {
      BREAKWATER__REGISTRY_ID: '000000000001',
      BREAKWATER__REGIONS: '[eu-west-1]',
      BREAKWATER__ANONYMOUS_IMPORT: 'true',
      BREAKWATER__TRUSTED_PROXIES: '[10.0.0.0/8]',
    },
  });
  const { registryId, regions, anonymousImport, trustedProxies } = config;
  assert.deepEqual(
    [registryId, regions, anonymousImport, trustedProxies],
    ['000000000001', ['eu-west-1'], true, [{ version: 4, parts: [10, 0, 0, 0], bits: 8 }]],
  );
});

const issuer = `oidc:
  - issuer: https://issuer.example.com/realm
    audiences: [breakwater]
    caFile: ca.pem
    principals:
      - claims: {sub: "repo:team/*", ref: refs/heads/main}
        principal: ci
      - {claims: {sub: "*"}, principal: other, account: "123456789012"}
`;

test('an issuer has its roots and the accounts of its principals', async () => {
  const pem = rootCertificates[0] ?? '';
  const loaded = await load(issuer, { ca: pem });
  assert.deepEqual(loaded.config.oidc, [
    {
      issuer: 'https://issuer.example.com/realm',
      audiences: ['breakwater'],
      jwksUrl: undefined,
      ca: pem,
      principals: [
        {
          claims: { sub: 'repo:team/*', ref: 'refs/heads/main' },
          principal: 'ci',
          account: '000000000000',
        },
        { claims: { sub: '*' }, principal: 'other', account: '123456789012' },
      ],
    },
  ]);
  assert.ok(loaded.files.includes('/b/ca.pem'), 'its file is watched');
});

test('the roots of an issuer that cannot be read are refused where they are named', async () => {
  assert.deepEqual(await told(issuer), [
    'c.yaml:4:13: oidc[0].caFile: the file /b/ca.pem does not exist',
  ]);
});

for (const url of [
  'https://a.example',
  'https://a.example:8443/x/y',
  'http://127.0.0.1:1',
  'http://[::1]:1',
  'http://localhost/x',
]) {
  test(`${url} is an issuer`, async () => {
    const text = `oidc: [{issuer: "${url}", audiences: [a], principals: [{claims: {sub: x}, principal: p}]}]`;
    assert.equal((await load(text)).config.oidc[0]?.issuer, url);
  });
}

for (const url of [
  'http://a.example',
  'http://127.0.0.1.example',
  'http://10.0.0.1',
  'https://u:p@a.example',
  'https://a.example?x',
  'https://a.example#x',
  'ftp://a.example',
  'a.example',
  '',
]) {
  test(`${JSON.stringify(url)} is no issuer`, async () => {
    const [problem = ''] = await told(
      `oidc: [{issuer: "${url}", audiences: [a], principals: [{claims: {sub: x}, principal: p}]}]`,
    );
    assert.match(problem, /^c\.yaml:1:17: oidc\[0\]\.issuer: ".*" is not an https URL; /);
  });
}

const refused: readonly (readonly [text: string, problems: readonly string[]])[] = [
  [
    'registryId: 123',
    [
      'c.yaml:1:13: registryId: 123 is not an account; write twelve digits in quotes, such as "000000000000"',
    ],
  ],
  [
    'organizationId: acme',
    [
      'c.yaml:1:17: organizationId: "acme" is not an organization; write o- and ten to 32 of a-z and 0-9, as o-a1b2c3d4e5',
    ],
  ],
  [
    'registryId: 000000000000',
    [
      'c.yaml:1:13: registryId: 0 is not an account; write twelve digits in quotes, such as "000000000000"',
    ],
  ],
  [
    'regions: []',
    [
      'c.yaml:1:10: regions: a list is not a choice of regions; write a list such as [us-east-1], or any',
    ],
  ],
  [
    'regions: all',
    [
      'c.yaml:1:10: regions: "all" is not a choice of regions; write a list such as [us-east-1], or any',
    ],
  ],
  [
    'regions: [us-east-1, Mars]',
    ['c.yaml:1:22: regions[1]: "Mars" is not a region; write one such as us-east-1'],
  ],
  [
    'regions: [us-east-1, eu-west-1, us-east-1]',
    ['c.yaml:1:33: regions[2]: "us-east-1" is regions[0] too; keep one of them'],
  ],
  [
    'anonymousImport: here',
    [
      'c.yaml:1:18: anonymousImport: "here" is not true, false or loopback; write one of these, without quotes',
    ],
  ],
  [
    'trustedProxies: [nginx, 0.0.0.0/0, 10.0.0.1/33]',
    [
      'c.yaml:1:18: trustedProxies[0]: "nginx" is not an address of proxies; write one such as 127.0.0.1 or 10.0.0.0/8, not all there are',
      'c.yaml:1:25: trustedProxies[1]: "0.0.0.0/0" is not an address of proxies; write one such as 127.0.0.1 or 10.0.0.0/8, not all there are',
      'c.yaml:1:36: trustedProxies[2]: "10.0.0.1/33" is not an address of proxies; write one such as 127.0.0.1 or 10.0.0.0/8, not all there are',
    ],
  ],
  [
    'createOnPush: 1',
    ['c.yaml:1:15: createOnPush: 1 is not true or false; write one of these, without quotes'],
  ],
  [
    'oidc: [x]',
    [
      'c.yaml:1:8: oidc[0]: "x" is not an issuer; write a mapping with issuer, audiences and principals',
    ],
  ],
  [
    'oidc:\n  - issuer: https://a.example\n    audiences: []\n    principals: []',
    ['c.yaml:3:16: oidc[0].audiences: a list is empty; write one such as [breakwater]'],
  ],
  [
    'oidc:\n  - issuer: https://a.example\n    audiences: [a]\n    principals:\n      - {claims: {}, principal: p}\n      - {claims: {sub: 1}, principal: a b, account: x}',
    [
      'c.yaml:5:18: oidc[0].principals[0].claims: a mapping is empty; write at least one claim: pattern, such as sub: "repo:team/*"',
      'c.yaml:6:24: oidc[0].principals[1].claims.sub: 1 is not a pattern; write a text such as "repo:team/*", 512 characters at most',
      'c.yaml:6:39: oidc[0].principals[1].principal: "a b" is not a name of a user; write letters, digits and _+=,.@-, 64 characters at most',
      'c.yaml:6:53: oidc[0].principals[1].account: "x" is not an account; write twelve digits in quotes, or "" for registryId',
    ],
  ],
  [
    'oidc:\n  - {issuer: https://a.example, audiences: [a], principals: [{claims: {sub: x}, principal: p}]}\n  - {issuer: https://a.example, audiences: [b], principals: [{claims: {sub: x}, principal: p}]}',
    [
      'c.yaml:3:14: oidc[1].issuer: "https://a.example" is the issuer of oidc[0]; put the principals of both into one',
    ],
  ],
  [
    'oidc:\n  - {issuer: https://a.example, audience: a}',
    [
      'c.yaml:2:5: oidc[0].audiences: missing; write one such as [breakwater]',
      'c.yaml:2:33: oidc[0].audience: unknown key; did you mean audiences?',
    ],
  ],
];
for (const [text, problems] of refused) {
  test(`${JSON.stringify(text)} is refused with its place and the fix`, async () => {
    assert.deepEqual(await told(text), problems);
  });
}
