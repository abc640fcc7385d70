import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createImageMapping } from '../../domain/image-rewrite.ts';
import { ConfigError, formatProblem } from '../config-error.ts';
import { UnreadableFile } from '../file-reader.ts';
import type { MappingFile } from './mapping-file.ts';
import { readMappingFile } from './mapping-file.ts';

async function read(text: string): Promise<MappingFile> {
  return await readMappingFile({
    file: 'm.yaml',
    cwd: '/etc/b',
    readFile: async (path) => {
      if (path !== '/etc/b/m.yaml') throw new UnreadableFile('does not exist');
      return { bytes: new TextEncoder().encode(text), mode: 0o644, changedAt: 0 };
    },
  });
}

/** The problems as they are told, or none. */
async function told(text: string): Promise<readonly string[]> {
  try {
    await read(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => formatProblem(problem));
  }
}

const whole = `
registryHost: cache.example.com:5000
rules:
  - prefix: docker-hub
    upstream: registry-1.docker.io
  - {prefix: etcd, upstream: quay.io, upstreamPrefix: coreos, private: true}
  - {prefix: plain, upstream: "http://10.0.0.1:8080"}
namespaces:
  include: [web]
  exclude: [kube-system]
replaces:
  - 111122223333.dkr.ecr.eu-west-2.amazonaws.com
`;

test('A mapping file has a host, rules, namespaces and former targets.', async () => {
  const { rules = [], ...rest } = await read(whole);
  assert.deepEqual(rest, {
    registryHost: 'cache.example.com:5000',
    namespaces: { include: ['web'], exclude: ['kube-system'] },
    replaces: ['111122223333.dkr.ecr.eu-west-2.amazonaws.com'],
    formerHost: undefined,
  });
  assert.deepEqual(
    rules.map(({ prefix, upstreamHost, upstreamPrefix, credential, urls }) => [
      prefix,
      upstreamHost,
      upstreamPrefix,
      credential !== undefined,
      urls[0].plain,
    ]),
    [
      ['docker-hub', 'docker.io', '', false, false],
      ['etcd', 'quay.io', 'coreos', true, false],
      ['plain', '10.0.0.1:8080', '', false, true],
    ],
  );
});

test('Without rules the built-in ones are meant, which is not the same as none.', async () => {
  assert.equal((await read('registryHost: cache.example.com')).rules, undefined);
  assert.equal((await read('')).rules, undefined);
  assert.deepEqual((await read('rules: []')).rules, []);
});

const registries = 'registries:\n  - docker.io\n  - quay.io/coreos\n  - Registry.K8s.io\n';
const bare = `awsRegion: eu-west-2\nawsAccountId: 012345678901\n${registries}`;
const configMap = (text: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: pull-through-webhook\ndata:\n  registries.yaml: |\n${text.replaceAll(/^/gm, '    ')}\n`;
const host = '012345678901.dkr.ecr.eu-west-2.amazonaws.com';

for (const [that, text] of [
  ['bare', bare],
  ['with the account in quotes', bare.replace(/(\d{12})/, '"$1"')],
  ['in its ConfigMap', configMap(bare)],
  [
    'as JSON of its ConfigMap',
    JSON.stringify({ kind: 'ConfigMap', data: { 'registries.yaml': bare } }),
  ],
] as const)
  test(`What ecr-pull-through reads is read as it is: ${that}.`, async () => {
    const { rules = [], ...rest } = await read(text);
    assert.deepEqual(rest, {
      registryHost: host,
      namespaces: { include: [], exclude: [] },
      replaces: [],
      formerHost: host,
    });
    const { rewrite } = createImageMapping({ registryHost: host, rules });
    const images = ['nginx', 'quay.io/coreos/etcd:1', 'registry.k8s.io/pause:3.9', 'quay.io/a/b'];
    assert.deepEqual(
      images.map((image) => {
        const found = rewrite(image);
        return found.kind === 'rewritten' ? found.image.slice(host.length) : found.reason;
      }),
      [
        '/docker.io/library/nginx',
        '/quay.io/coreos/etcd:1',
        '/registry.k8s.io/pause:3.9',
        'no rule',
      ],
    );
  });

const wrong: readonly (readonly [that: string, text: string, is: readonly (string | RegExp)[]])[] =
  [
    ['an unknown key', 'rule: []', ['m.yaml:1:1: rule: unknown key; did you mean rules?']],
    [
      'a key of a rule of the configuration',
      'rules:\n  - {prefix: a, upstream: quay.io, credential: x}',
      [
        'm.yaml:2:36: rules[0].credential: unknown key; the keys here are prefix, upstream, upstreamPrefix, private',
      ],
    ],
    [
      'a host with a scheme',
      'registryHost: https://a.b',
      [
        /^m\.yaml:1:15: registryHost: "https:\/\/a\.b" is not a host that images can begin with; write registry\.example\.com/,
      ],
    ],
    [
      'a former target with a path',
      'replaces: [a.b/c]',
      [/^m\.yaml:1:12: replaces\[0\]: "a\.b\/c" is not a host/],
    ],
    [
      'a rule without its upstream',
      'rules:\n  - prefix: a',
      [/^m\.yaml:2:5: rules\[0\]\.upstream: missing; write a host/],
    ],
    [
      'a prefix twice, by another name',
      'rules:\n  - {prefix: docker.io, upstream: a.b}\n  - {prefix: index.docker.io, upstream: a.b}',
      [
        /^m\.yaml:3:14: rules\[1\]\.prefix: "index\.docker\.io" is the same as docker\.io, the prefix of rules\[0\]; keep one/,
      ],
    ],
    [
      'a namespace that is none',
      'namespaces: {exclude: [Kube]}',
      [/^m\.yaml:1:24: namespaces\.exclude\[0\]: "Kube" is not the name of a namespace/],
    ],
    [
      'a list of namespaces',
      'namespaces: [web]',
      [/^m\.yaml:1:13: namespaces: a list is not a mapping; write include or exclude/],
    ],
    ['a list', '- a', [/^m\.yaml:1:1: a list is not a mapping; write registryHost/]],
    ['what is no YAML', 'rules: [', [/^m\.yaml:1:9: not valid YAML/]],
    [
      'an alias bomb',
      `a: &a [x]\n${'bcdefghij'
        .split('')
        .map((key, index) => `${key}: &${key} [${`*${'abcdefghij'[index]},`.repeat(9)}]`)
        .join('\n')}`,
      [/too many aliases/],
    ],
    [
      'a ConfigMap of something else',
      'kind: ConfigMap\ndata: {x: y}',
      [
        'm.yaml:2:1: data: missing registries.yaml; write it, or give a mapping file with registryHost and rules',
      ],
    ],
    [
      'an account that lost its zero',
      bare.replace('012345', '12345'),
      ['m.yaml:2:15: awsAccountId: "12345678901" is not an account; write its 12 digits'],
    ],
    [
      'the same inside of the ConfigMap',
      configMap(bare.replace('012345', '12345')),
      ['m.yaml:8: awsAccountId: "12345678901" is not an account; write its 12 digits'],
    ],
    [
      'no region',
      bare.replace(/awsRegion.*\n/, ''),
      ['m.yaml:1:1: awsRegion: missing; write one such as eu-west-2'],
    ],
  ];
for (const [that, text, is] of wrong)
  test(`Refused with its place: ${that}.`, async () => {
    const problems = await told(text);
    assert.equal(problems.length, is.length, problems.join('\n'));
    for (const [index, expected] of is.entries())
      if (typeof expected === 'string') assert.equal(problems[index], expected);
      else assert.match(problems[index] ?? '', expected);
  });

test('All that is wrong is told together; so is a file that is not there.', async () => {
  assert.equal((await told('rule: []\nreplaces: 5\nregistryHost: x')).length, 3);
  await assert.rejects(
    readMappingFile({ file: 'nope.yaml', cwd: '/nowhere' }),
    /nope\.yaml: the file does not exist/,
  );
});

test('A megabyte and more is refused, and a thousand levels.', async () => {
  assert.match(
    (await told(`rules: [${'x'.repeat(1024 * 1024)}]`)).join(),
    /longer than|larger than/,
  );
  assert.match((await told(`rules: ${'['.repeat(20_000)}`)).join(), /m\.yaml/);
});
