import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseImageName } from '../../domain/names/image-name.ts';
import { readSource } from '../text/read-source.ts';
import { createHostMove } from './host-move.ts';
import type { Renaming } from './renaming.ts';
import { EditRefused, rewriteText } from './rewrite-text.ts';

/** Each registry under its own host's name. */
const toCache: Renaming = (reference) => {
  const name = parseImageName(reference);
  if (name === undefined) return { kind: 'unchanged', reason: 'no image name' };
  const { host, repository, tag, digest } = name;
  if (host === 'cache.test:5000') return { kind: 'unchanged', reason: 'ours' };
  const ending = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return { kind: 'rewritten', image: `cache.test:5000/${host}/${repository}${ending}` };
};

/** What is between ‹ and › is the old text, then the new one; all else must stay. */
function sides(marked: string): { readonly before: string; readonly after: string } {
  const side = (index: 1 | 2): string =>
    marked.replaceAll(/‹([^|›]*)\|([^›]*)›/g, (_all, one: string, two: string) =>
      index === 1 ? one : two,
    );
  return { before: side(1), after: side(2) };
}

interface Row {
  readonly title: string;
  readonly path?: string;
  readonly text: string;
  readonly rename?: Renaming;
  /** Fields that are told and stay. */
  readonly left?: readonly string[];
}

const hub = 'cache.test:5000/docker.io';
const sha = `sha256:${'c'.repeat(64)}`;

const rows: readonly Row[] = [
  {
    title: 'A manifest keeps its comments, quotes and blank lines.',
    text: `# top
apiVersion: apps/v1   # version
kind: Deployment


spec:
  template:
    spec:
      containers:
      -   name: "a"
          image:   ‹nginx:1.27|${hub}/library/nginx:1.27›   # the web server, nginx:1.27
          command: [ 'sh',   "-c" , nginx:1.27 ]
      - {name: b, image: '‹grafana/grafana|${hub}/grafana/grafana›', args: []}
      -  image: "‹quay.io/a/b:1@${sha}|cache.test:5000/quay.io/a/b:1@${sha}›"
`,
  },
  {
    title: 'Several documents, a marker at the end and one that is empty.',
    text: `---
kind: Pod
spec: {containers: [{image: ‹a:1|${hub}/library/a:1›}]}
---
# nothing
---
kind: Pod
spec: {containers: [{image: ‹b:1|${hub}/library/b:1›}]}
...
`,
  },
  {
    title: 'CRLF and a byte order mark stay.',
    text: `\ufeffkind: Pod\r\nspec:\r\n  containers:\r\n  - image: ‹a:1|${hub}/library/a:1›\r\n    name: x\r\n`,
  },
  {
    title: 'No line break at the end stays none.',
    text: `kind: Pod\nspec:\n  containers:\n  - image: ‹a:1|${hub}/library/a:1›`,
  },
  {
    title: 'An anchor is edited once, and its aliases follow.',
    text: `x: &img ‹nginx:1|${hub}/library/nginx:1›
kind: Pod
spec:
  initContainers:
  - image: *img
  containers:
  - &c
    image: &other "‹redis:7|${hub}/library/redis:7›"
  - <<: *c
    name: two
`,
  },
  {
    title: 'An image in a block.',
    text: `kind: Pod
spec:
  containers:
  - image: >-
      ‹nginx:1|${hub}/library/nginx:1›
  - image: |-
      ‹redis:7|${hub}/library/redis:7›
`,
  },
  {
    title: 'JSON with tabs.',
    path: 'pod.json',
    text: `{\n\t"kind":"Pod",\n\t"spec":{"containers":[{"image":"‹a:1|${hub}/library/a:1›","x":"\\u00e9"}]}\n}`,
  },
  {
    title: 'What is put in later keeps its place, and a name that is put in stays.',
    text: `kind: Pod
spec:
  containers:
  - image: ‹ghcr.io/a/b|cache.test:5000/ghcr.io/a/b›:\${tag:=v1}
  - image: \${registry}/x:1
  - image: ' ghcr.io/a/b:1'
`,
  },
  {
    title: 'Environment, arguments and texts are told and left.',
    text: `kind: Pod
spec:
  containers:
  - image: ‹a:1|${hub}/library/a:1›
    env: [{name: X_IMAGE, value: 'quay.io/a/b:1'}]
    args: ["--x=quay.io/a/c:1"]
`,
    left: ['spec.containers[0].env[0].value', 'spec.containers[0].args[0]'],
  },
  {
    title: 'A List of JSON in a stream of YAML.',
    text: `{"kind": "List", "items": [{"kind": "Pod", "spec": {"containers": [{"image": "‹a|${hub}/library/a›"}]}}]}\n`,
  },
  {
    title: 'kubeadm’s repositories become those of the cache.',
    text: `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
imageRepository: ‹registry.k8s.io|cache.test:5000/registry.k8s.io›
dns:
  imageRepository: ‹registry.k8s.io/coredns|cache.test:5000/registry.k8s.io/coredns›
`,
  },
  {
    title: 'library/ goes to the registry where registry and repository are two keys.',
    path: 'values.yaml',
    text: `image:
  registry: ‹docker.io|${hub}/library›
  repository: nats
  tag: 2.10
reloader:
  image:
    repository: natsio/nats-server-config-reloader
    registry: ‹docker.io|${hub}›
exporter: {image: {registry: "", repository: bitnami/x, tag: "1"}}
`,
    left: ['exporter.image'],
  },
  {
    title: 'A repository without a registry beside it is told and left.',
    path: 'values.yaml',
    text: `image:
  repository: grafana/grafana
  tag: 11
sidecar:
  image:
    repository: ‹quay.io/kiwigrid/k8s-sidecar|cache.test:5000/quay.io/kiwigrid/k8s-sidecar›
    tag: 1.30
`,
    left: ['image'],
  },
  {
    title: 'A registry that two images share by an anchor is edited where they agree.',
    path: 'values.yaml',
    text: `a: {registry: &r ‹quay.io|cache.test:5000/quay.io›, repository: x/a, tag: 1}
b: {registry: *r, repository: x/b, tag: 1}
`,
  },
  {
    title: 'A registry that two images share by an anchor stays where they do not agree.',
    path: 'values.yaml',
    text: `a: {registry: &r docker.io, repository: nats, tag: 1}
b: {registry: *r, repository: bitnami/x, tag: 1}
c: {registry: docker.io, repository: y, tag: 1}
`.replace('c: {registry: docker.io', `c: {registry: ‹docker.io|${hub}/library›`),
    left: ['a', 'b'],
  },
  {
    title: 'A registry of all images is edited only where all go to one place.',
    path: 'values.yaml',
    text: `global:
  imageRegistry: ‹quay.io|cache.test:5000/quay.io›
other:
  imageRegistry: docker.io
`,
  },
  {
    title: 'Values in a text of an Argo CD Application.',
    text: `apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  source:
    helm:
      values: |
        image:   # c
          registry: '‹docker.io|${hub}/library›'
          repository: nats

        side: {image: ‹quay.io/a/b:1|cache.test:5000/quay.io/a/b:1›}
      parameters:
      - {name: x.image.repository, value: ‹quay.io/x/y|cache.test:5000/quay.io/x/y›}
`,
  },
  {
    title: 'A kustomization’s new name changes, and the name that it looks for does not.',
    path: 'kustomization.yaml',
    text: `resources: [a.yaml]
images:
- name: nginx
  newName: ‹quay.io/nginx/nginx|cache.test:5000/quay.io/nginx/nginx›
  newTag: "1"
- name: redis
  newTag: "7"
`,
    left: ['images[1]'],
  },
  {
    title: 'Compose: services, what is merged in, and tags that are put in later.',
    path: 'compose.yaml',
    text: `x-base: &base
  image: ‹nginx|${hub}/library/nginx›:\${TAG:-1.27}
services:
  web:
    <<: *base
  db: {image: "‹postgres:17|${hub}/library/postgres:17›"}
  own: {build: .}
`,
  },
  {
    title: 'GitLab: images and services of jobs.',
    path: '.gitlab-ci.yml',
    text: `default:
  image: ‹ruby:3|${hub}/library/ruby:3›
test:
  image: {name: ‹golang:1.24|${hub}/library/golang:1.24›, entrypoint: [""]}
  services:
  - ‹postgres:17|${hub}/library/postgres:17›
  - name: ‹redis:7|${hub}/library/redis:7›
    alias: r
  script: [docker pull quay.io/a/b:1]
own:
  image: $CI_REGISTRY_IMAGE:1
`,
    left: ['test.script[0]'],
  },
  {
    title: 'GitHub: containers, services and steps.',
    path: '.github/workflows/ci.yaml',
    text: `on: push
jobs:
  a:
    container: ‹node:26|${hub}/library/node:26›
    services: {db: {image: ‹postgres:17|${hub}/library/postgres:17›}}
    steps:
    - uses: docker://‹alpine:3.20|${hub}/library/alpine:3.20›
    - uses: actions/checkout@v6
`,
  },
  {
    title: 'A plain text gets quotes where the new reference can’t be plain.',
    rename: createHostMove(
      { host: 'k8s.gcr.io', path: '' },
      { host: '[fd00::1]:5000', path: 'k8s' },
    ),
    text: `kind: Pod
spec:
  containers: [{image: ‹k8s.gcr.io/pause:3.9|"[fd00::1]:5000/k8s/pause:3.9"›, name: x}]
`,
  },
  {
    title: 'A move that leaves no name, or another image’s on Docker Hub, is none.',
    rename: createHostMove({ host: 'quay.io', path: 'a' }, { host: 'docker.io', path: '' }),
    text: `kind: Pod
spec:
  containers: [{image: quay.io/a:1}, {image: quay.io/a/b:1}, {image: ‹quay.io/a/b/c:1|docker.io/b/c:1›}]
`,
  },
  {
    title: 'One name on Docker Hub is the official image too.',
    rename: createHostMove({ host: 'docker.io', path: 'redis' }, { host: 'r.io', path: 'redis' }),
    text: `kind: Pod
spec:
  containers: [{image: ‹redis:7|r.io/redis:7›}, {image: ‹redis/redis-stack:7|r.io/redis/redis-stack:7›}, {image: rediscommander:1}]
`,
  },
  {
    title: 'A host moves to another, paths as they are.',
    rename: createHostMove({ host: 'k8s.gcr.io', path: '' }, { host: 'registry.k8s.io', path: '' }),
    text: `kind: Pod
spec:
  containers:
  - image: ‹k8s.gcr.io/pause:3.9|registry.k8s.io/pause:3.9›
  - image: k8s.gcr.io.example.com/pause:3.9
  - image: k8s.gcr.iox/pause:3.9
  - image: nginx
`,
  },
];

suite('Only references change', () => {
  for (const { title, path = 'a.yaml', text, rename = toCache, left = [] } of rows)
    test(title, () => {
      const { before, after } = sides(text);
      const read = readSource(path, before);
      assert.deepEqual(read.problems, []);
      const made = rewriteText(before, read, { rename });
      assert.equal(made.text, after);
      assert.deepEqual(
        made.left.map(({ place }) => place.field),
        left,
      );
      const again = rewriteText(made.text, readSource(path, made.text), { rename });
      assert.equal(again.text, made.text);
      assert.deepEqual(again.changed, []);
    });
});

test('A place is known by line and column, from 1.', () => {
  const text = '\ufeff{kind: Pod,\r\n  spec: {containers: [{image: "a:1"}]}}';
  const { changed } = rewriteText(text, readSource('a.yaml', text), { rename: toCache });
  assert.deepEqual(
    changed.map(({ place: { line, column } }) => [line, column]),
    [[2, 32]],
  );
});

test('What differs after an edit beside its references is refused.', () => {
  const text = 'kind: Pod\nspec: {containers: [{image: a:1}]}\n';
  const read = readSource('a.yaml', text);
  const [place] = read.places;
  assert.ok(place?.whole !== undefined);
  const whole = { ...place.whole, write: () => 'x}, {image: y' };
  const broken = { ...read, places: [{ ...place, whole }] };
  assert.throws(() => rewriteText(text, broken, { rename: toCache }), EditRefused);
});

interface BadRow {
  readonly title: string;
  readonly text: string;
  readonly line: number;
  readonly message: RegExp;
}

const aliases = Array.from({ length: 10_001 }, () => '*a').join(', ');
const badRows: readonly BadRow[] = [
  {
    title: 'two values in a line',
    text: 'a: 1\nb: c: d\n',
    line: 2,
    message: /[Nn]ested mappings/,
  },
  {
    title: 'a bomb of aliases',
    text: `a: &a {x: y}\nb: [${aliases}]\n`,
    line: 2,
    message: /10000 aliases/,
  },
  {
    title: 'directives without end',
    text: `a: 1\n${'%X y\n'.repeat(100)}`,
    line: 66,
    message: /directives/,
  },
  { title: 'items of items', text: `a: 1\n${'- '.repeat(1000)}`, line: 2, message: /nested/ },
  {
    title: 'more than is read',
    text: `a: \t${'x'.repeat(4 * 1024 * 1024)}`,
    line: 1,
    message: /4 MiB/,
  },
  { title: 'nesting without end', text: '['.repeat(100_000), line: 1, message: /nested/ },
  {
    title: 'deep nesting',
    text: `a: 1\nb: ${'['.repeat(300)}${']'.repeat(300)}`,
    line: 2,
    message: /200 levels/,
  },
  { title: 'an alias without an anchor', text: 'a: 1\nb: *x\n', line: 2, message: /\*x/ },
];

suite('What can’t be read is told with its place, and stays', () => {
  for (const { title, text, line, message } of badRows)
    test(title, () => {
      const read = readSource('a.yaml', text);
      assert.equal(read.problems[0]?.line, line);
      assert.match(read.problems[0]?.message ?? '', message);
      assert.deepEqual(read.places, []);
      assert.equal(rewriteText(text, read, { rename: toCache }).text, text);
    });

  test('JSON with comments that has nothing to do with images is nothing', () => {
    assert.deepEqual(readSource('tsconfig.json', '// c\n{"a": 1,}').problems, []);
    assert.equal(readSource('pod.json', '// c\n{"image": "a",,}').problems.length, 1);
  });

  test('maps that are merged twice at each of 60 levels are looked into once', () => {
    const levels = Array.from(
      { length: 60 },
      (_, level) => `x${level + 1}: &m${level + 1} {<<: [*m${level}, *m${level}]}`,
    );
    const text = `x0: &m0 {a: b}\n${levels.join('\n')}\nkind: Pod\nspec: {containers: [{<<: [*m60, {image: nginx:1}]}]}\n`;
    const read = readSource('a.yaml', text);
    assert.deepEqual(
      read.places.map(({ image }) => image),
      ['nginx:1'],
    );
  });

  test('a billion laughs: aliases of lists of aliases are read once', () => {
    const levels = 'bcdefghijklmnop'.split('').map((key) => {
      const before = String.fromCharCode(key.charCodeAt(0) - 1);
      return `${key}: &${key} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`;
    });
    const text = `kind: X\na: &a {containers: [{image: "x:1"}]}\n${levels.join('\n')}\n`;
    const begun = performance.now();
    const read = readSource('a.yaml', text);
    assert.equal(read.places.length, 1);
    assert.ok(performance.now() - begun < 1000);
  });
});
