import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { ruleFor as rule } from '../../tests/support/rigs/pull-server.ts';
import {
  isRead,
  referenceTable,
  rewrittenHere,
} from '../../tests/support/samples/reference-table.ts';
import { createImageMapping } from './image-rewrite.ts';
import type { ImageMapping, MappingParts, Rewritten } from './image-rewrite.ts';
import { normalizeHost } from './names/host-name.ts';
import { parseImageName } from './names/image-name.ts';
import { overBuiltinRules } from './rules/builtin-rules.ts';
import { applyRow, findRowIn } from './rules/host-table.ts';
import type { PullRule } from './rules/pull-rule.ts';
import { createRuleSet } from './rules/rule-set.ts';

const host = 'registry.example.com';
const digest = `sha256:${'a'.repeat(64)}`;

function mappingOf(
  own: readonly PullRule[] = [],
  parts: Partial<MappingParts<PullRule>> = {},
): ImageMapping {
  return createImageMapping({ registryHost: host, rules: overBuiltinRules(own), ...parts });
}

function shown(found: Rewritten): string {
  return found.kind === 'rewritten' ? found.image.replace(`${host}/`, 'HOST/') : found.reason;
}

const named = rule('quay', 'quay.io');
const github = rule('github', 'ghcr.io');

interface Row {
  readonly that: string;
  readonly own?: readonly PullRule[];
  readonly parts?: Partial<MappingParts<PullRule>>;
  readonly image: string;
  readonly is: string;
}

const rewrites: readonly Row[] = [
  {
    that: 'Tag and digest stay both',
    image: `nginx:1.27@${digest}`,
    is: `HOST/docker.io/library/nginx:1.27@${digest}`,
  },
  { that: 'No tag is made up', image: 'quay.io/a/b', is: 'HOST/quay.io/a/b' },
  { that: 'library/ is added once', image: 'docker.io/nginx', is: 'HOST/docker.io/library/nginx' },
  {
    that: 'A name of two parts is at Docker Hub too',
    image: 'grafana/grafana',
    is: 'HOST/docker.io/grafana/grafana',
  },
  { that: 'Other registries get no library/', image: 'quay.io/nginx', is: 'HOST/quay.io/nginx' },
  { that: 'Hosts are compared whole', image: 'ghcr.iox/a/b', is: 'no rule' },
  {
    that: 'A host that only begins as a known one is another',
    image: 'docker.io.evil/nginx',
    is: 'no rule',
  },
  { that: 'Case of a host does not matter', image: 'QUAY.io/a/b:V1', is: 'HOST/quay.io/a/b:V1' },
  { that: "https's own port does not matter", image: 'quay.io:443/a/b', is: 'HOST/quay.io/a/b' },
  { that: 'Another port is another registry', image: 'quay.io:8443/a/b', is: 'no rule' },
  { that: 'What is ours stays', image: `${host}/docker.io/library/nginx`, is: 'ours' },
  { that: 'What is ours stays in any case', image: 'Registry.Example.com:443/x', is: 'ours' },
  { that: 'Our host at another port is another registry', image: `${host}:5000/x`, is: 'no rule' },
  {
    that: 'Even where a rule leads to ourselves',
    own: [rule('self', host)],
    image: `${host}/x`,
    is: 'ours',
  },
  {
    that: 'ROOT catches no unknown host',
    own: [rule('ROOT', 'cache.corp')],
    image: 'other.corp/a',
    is: 'no rule',
  },
  { that: 'A template is no image name', image: '{{ .Values.image }}', is: 'no image name' },
  { that: 'A blank before it is not cut off', image: ' nginx', is: 'no image name' },
  {
    that: 'A prefix that is a host is the mirror’s form of the path',
    image: 'quay.io/quay.io/busybox',
    is: 'HOST/quay.io/busybox',
  },
  {
    that: 'A prefix that is none is a part of the name',
    own: [named, github],
    image: 'quay.io/quay/busybox',
    is: 'HOST/quay/quay/busybox',
  },
  {
    that: 'And at every such rule',
    own: [named, github],
    image: 'ghcr.io/github/super-linter:v7',
    is: 'HOST/github/github/super-linter:v7',
  },
  {
    that: "A user's rule goes before a built-in one",
    own: [rule('k8s', 'registry.k8s.io')],
    image: 'registry.k8s.io/pause:3.10',
    is: 'HOST/k8s/pause:3.10',
  },
  {
    that: 'A frozen host is its successor',
    image: 'k8s.gcr.io/pause:3.9',
    is: 'HOST/registry.k8s.io/pause:3.9',
  },
  {
    that: 'A former target keeps its paths',
    parts: { replaces: ['111122223333.dkr.ecr.eu-west-2.amazonaws.com'] },
    image: '111122223333.dkr.ecr.eu-west-2.amazonaws.com/docker-hub/library/nginx:1',
    is: 'HOST/docker-hub/library/nginx:1',
  },
  {
    that: 'Another account is no former target',
    parts: { replaces: ['111122223333.dkr.ecr.eu-west-2.amazonaws.com'] },
    image: '444455556666.dkr.ecr.eu-west-2.amazonaws.com/x',
    is: 'no rule',
  },
  {
    that: 'A former target goes before a rule for its host',
    own: [rule('old', 'old.corp')],
    parts: { replaces: ['old.corp'] },
    image: 'old.corp/a/b',
    is: 'HOST/a/b',
  },
  {
    that: 'The target may be an ECR',
    parts: { registryHost: '111122223333.dkr.ecr.eu-west-2.amazonaws.com' },
    image: 'nginx',
    is: '111122223333.dkr.ecr.eu-west-2.amazonaws.com/docker.io/library/nginx',
  },
  {
    that: '255 characters with our host are not too many',
    image: 'a'.repeat(216),
    is: `HOST/docker.io/library/${'a'.repeat(216)}`,
  },
  { that: '256 are', image: 'a'.repeat(217), is: 'too long' },
  {
    that: 'Tag and digest do not count',
    image: `${'a'.repeat(216)}:1@${digest}`,
    is: `HOST/docker.io/library/${'a'.repeat(216)}:1@${digest}`,
  },
  {
    that: 'A name that its prefix makes too long is no matter of a missing rule',
    own: [rule('p'.repeat(100), 'x.corp')],
    image: `x.corp/${'a'.repeat(200)}`,
    is: 'too long',
  },
  {
    that: 'A former target’s paths count too',
    parts: { replaces: ['o.corp'] },
    image: `o.corp/${'a'.repeat(240)}`,
    is: 'too long',
  },
];
for (const { that, own, parts, image, is } of rewrites)
  test(`${that}: ${image.slice(0, 80)}`, () => {
    assert.equal(shown(mappingOf(own, parts).rewrite(image)), is);
  });

const reverts: readonly Row[] = [
  {
    that: 'A prefix that is a host is the name',
    image: `${host}/docker.io/library/nginx:1.27@${digest}`,
    is: `docker.io/library/nginx:1.27@${digest}`,
  },
  {
    that: 'library/ is added where it is missing',
    image: `${host}/docker.io/nginx`,
    is: 'docker.io/library/nginx',
  },
  {
    that: 'A host that leads to another cache is the name',
    own: [rule('docker.io', 'cache.corp', { upstreamPrefix: 'hub' })],
    image: `${host}/docker.io/a/b`,
    is: 'docker.io/a/b',
  },
  {
    that: 'A prefix that is none is the upstream’s name',
    own: [named],
    image: `${host}/quay/quay/busybox:1`,
    is: 'quay.io/quay/busybox:1',
  },
  {
    that: 'With its upstreamPrefix',
    own: [rule('bitnami', 'docker.io', { upstreamPrefix: 'bitnami' })],
    image: `${host}/bitnami/redis`,
    is: 'docker.io/bitnami/redis',
  },
  {
    that: 'A prefix that names a repository is that',
    own: [rule('trivy-db', 'ghcr.io', { upstreamPrefix: 'aquasecurity/trivy-db' })],
    image: `${host}/trivy-db:2`,
    is: 'ghcr.io/aquasecurity/trivy-db:2',
  },
  {
    that: 'A plain upstream has its port',
    own: [
      rule('t', 'h.corp', { urls: [{ origin: 'http://h.corp', host: 'h.corp', plain: true }] }),
    ],
    image: `${host}/t/a`,
    is: 'h.corp:80/a',
  },
  {
    that: 'An upstream without a dot and a port names no image',
    own: [rule('t', 'registry')],
    image: `${host}/t/a`,
    is: 'cannot be told',
  },
  { that: 'What no rule leads to was pushed here', image: `${host}/team/app:1`, is: 'no rule' },
  {
    that: 'ROOT is its upstream',
    own: [rule('ROOT', 'cache.corp')],
    image: `${host}/team/app:1`,
    is: 'cache.corp/team/app:1',
  },
  { that: 'What is not ours stays', image: 'nginx', is: 'not ours' },
  { that: 'What is no name stays', image: `${host}/X`, is: 'no image name' },
];
for (const { that, own, parts, image, is } of reverts)
  test(`Back: ${that}: ${image.replace(host, 'HOST').slice(0, 80)}`, () => {
    assert.equal(shown(mappingOf(own, parts).revert(image)), is);
  });

suite('What can’t be seen in the new name is said', () => {
  const note = (found: Rewritten): string | undefined =>
    found.kind === 'rewritten' ? found.note : found.reason;
  const said = [
    ['k8s.gcr.io/pause:3.9', /^k8s\.gcr\.io is frozen; its images are those of registry\.k8s\.io/],
    ['registry.k8s.io/pause:3.9', undefined],
    ['nginx', undefined],
    ['o.corp/team/app', /^no rule leads to team\/app: it must have been pushed here$/],
    ['o.corp/docker.io/nginx', undefined],
  ] as const;
  for (const [image, is] of said)
    test(image, () => {
      const found = note(mappingOf([], { replaces: ['o.corp'] }).rewrite(image));
      if (is === undefined) assert.equal(found, undefined);
      else assert.match(found ?? '', is);
    });
  test('Which of its names stood there before can’t be told of a registry with several.', () => {
    const back = (path: string): string | undefined => note(mappingOf().revert(`${host}/${path}`));
    assert.match(back('registry.k8s.io/pause') ?? '', /may have been written k8s\.gcr\.io instead/);
    assert.match(back('docker.io/a/b') ?? '', /index\.docker\.io or registry-1\.docker\.io or/);
    assert.equal(back('quay.io/a'), undefined);
  });
});

suite('references.txt, read and rewritten by the built-in rules', () => {
  const mapping = mappingOf();
  test('It has its 69 lines, of which 41 are names.', () => {
    assert.deepEqual([referenceTable.length, referenceTable.filter(isRead).length], [69, 41]);
  });
  for (const row of referenceTable)
    test(JSON.stringify(row.text.slice(0, 60)), () => {
      const image = parseImageName(row.text);
      const { domain = '', path } = row.named ?? {};
      if (isRead(row))
        // One name for each registry: `index.docker.io` and `Host.io` are domains of their own to distribution.
        assert.deepEqual([image?.host, image?.repository], [normalizeHost(domain), path]);
      else assert.equal(image, undefined);
      const found = mapping.rewrite(row.text);
      const stays = isRead(row) ? 'no rule' : 'no image name';
      assert.equal(
        found.kind === 'rewritten' ? found.image : found.reason,
        rewrittenHere(row, host) ?? stays,
      );
    });
});

const part = fc.constantFrom('a', 'b', 'library', 'nginx', 'docker.io', 'quay.io', 'k8s.gcr.io');
const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const upstream = fc.constantFrom('docker.io', 'quay.io', 'registry.k8s.io', 'k8s.gcr.io', 'x.corp');
const ruleLists = fc.uniqueArray(
  fc
    .tuple(fc.oneof(name, fc.constant('ROOT')), upstream, fc.oneof(fc.constant(''), part, name))
    .map(([prefix, at, upstreamPrefix]) => rule(prefix, at, { upstreamPrefix })),
  { selector: ({ prefix }) => prefix, maxLength: 5 },
);
const written = fc
  .tuple(
    fc.oneof(
      fc.constant(''),
      fc.constantFrom('index.docker.io/', 'QUAY.io/', 'other.corp/'),
      upstream.map((at) => `${at}/`),
    ),
    name,
    fc.constantFrom('', ':1', ':V-2_x', `@${digest}`, `:1@${digest}`),
  )
  .map((parts) => parts.join(''));

const runs = { numRuns: 200 };

test('What is rewritten is ours, keeps its ending, and stays when it is rewritten again.', () => {
  fc.assert(
    fc.property(ruleLists, written, (own, image) => {
      const mapping = mappingOf(own);
      const found = mapping.rewrite(image);
      if (found.kind === 'unchanged') return;
      const [before, after] = [parseImageName(image), parseImageName(found.image)];
      assert.deepEqual(
        [after?.host, after?.tag, after?.digest],
        [host, before?.tag, before?.digest],
      );
      assert.deepEqual(mapping.rewrite(found.image), { kind: 'unchanged', reason: 'ours' });
    }),
    runs,
  );
});

test('What becomes of an image is what byHost says, and what the table says.', () => {
  fc.assert(
    fc.property(ruleLists, written, (own, image) => {
      const mapping = mappingOf(own);
      const { host: at, repository } = parseImageName(image) ?? {};
      if (at === undefined || repository === undefined) return;
      const target = createRuleSet(overBuiltinRules(own)).byHost(at, repository);
      const found = mapping.rewrite(image);
      const row = findRowIn(mapping.rows)(at, repository);
      const told = row === undefined ? undefined : applyRow(row, repository);
      assert.equal(told, target?.repository);
      const here = found.kind === 'unchanged' ? undefined : parseImageName(found.image)?.repository;
      assert.equal(here, target?.repository);
      if (found.kind === 'rewritten') assert.equal(found.prefix, target?.rule?.prefix);
    }),
    runs,
  );
});

test('The table says what becomes of an image where hosts are replaced, or ours is one of theirs.', () => {
  const hosts = ['docker.io', 'k8s.gcr.io', 'registry.k8s.io', 'quay.io', 'other.corp'];
  fc.assert(
    fc.property(
      ruleLists,
      fc.subarray(hosts),
      fc.constantFrom(host, 'index.docker.io', 'k8s.gcr.io', 'registry.k8s.io', 'quay.io'),
      fc.array(written, { minLength: 5, maxLength: 5 }),
      (own, replaces, registryHost, images) => {
        const mapping = mappingOf(own, { replaces, registryHost });
        const find = findRowIn(mapping.rows);
        for (const image of images) {
          const { host: at = '', repository = '' } = parseImageName(image) ?? {};
          const row = find(at, repository);
          const told = row === undefined ? undefined : applyRow(row, repository);
          const found = mapping.rewrite(image);
          const here = found.kind === 'unchanged' ? undefined : found.image;
          assert.equal(
            here?.replace(/(?::[\w.-]+)?(?:@.*)?$/, ''),
            told && `${registryHost}/${told}`,
          );
        }
      },
    ),
    runs,
  );
});

test('What is rewritten and taken back names the same image where that can be told.', () => {
  fc.assert(
    fc.property(ruleLists, written, (own, image) => {
      const mapping = mappingOf(own);
      const found = mapping.rewrite(image);
      if (found.kind === 'unchanged') return;
      const back = mapping.revert(found.image);
      assert.equal(back.kind, 'rewritten');
      // Upstream's name may itself look like the path of a mirror; to us it is one then.
      const there = back.kind === 'rewritten' ? parseImageName(back.image)?.repository : undefined;
      fc.pre(there?.split('/', 1)[0]?.includes('.') === false);
      const rules = createRuleSet(overBuiltinRules(own));
      const upstreamOf = (each: Rewritten): unknown => {
        const at = each.kind === 'rewritten' ? parseImageName(each.image)?.repository : undefined;
        const { rule: by, upstreamRepository } = rules.byPath(at ?? '') ?? {};
        return [by?.upstreamHost, upstreamRepository];
      };
      if (back.kind === 'rewritten')
        assert.deepEqual(upstreamOf(mapping.rewrite(back.image)), upstreamOf(found));
    }),
    runs,
  );
});

test('Any text is answered.', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), written), (text) => {
      const mapping = mappingOf();
      const found = mapping.rewrite(text);
      if (found.kind === 'rewritten') assert.ok(parseImageName(found.image) !== undefined);
      else assert.equal(found.reason === 'no image name', parseImageName(text) === undefined);
    }),
    runs,
  );
});
