// Formats beside YAML: what is found, what changes, and that nothing else does.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { parseImageName } from '../../domain/names/image-name.ts';
import { applyEdits, editsOf } from './read-text.ts';
import type { Slot } from './read-text.ts';
import { formatOf, readSource } from './read-source.ts';

/** Whole references stand between ‹ and ›, parts of split ones between « and », those that are told and left between ⟨ and ⟩. */
interface Row {
  readonly title: string;
  readonly path: string;
  readonly text: string;
}

const sha = `sha256:${'d'.repeat(64)}`;

const rows: readonly Row[] = [
  {
    title: 'Dockerfile: stages, platforms, arguments, copies, mounts and the syntax line.',
    path: 'Dockerfile',
    text: `# syntax=‹docker/dockerfile:1.10›
ARG BASE=‹golang:1.24›
ARG VERSION=3.20 OTHER="‹quay.io/a/b:1›"
# FROM commented:1
FROM --platform=$BUILDPLATFORM \\
  # in between
  $BASE AS build
FROM build AS Test
FROM ‹alpine:\${VERSION}› as run
FROM \${OTHER}
FROM scratch
COPY --from=build /a /b
COPY --from=0 /a /b
COPY --chown=1:1 --from=‹ghcr.io/astral-sh/uv:0.5› /uv /bin/
RUN --mount=type=bind,from=test,target=/x --mount=from=‹busybox:1›,target=/y echo FROM nginx:1
RUN <<EOF
FROM heredoc:1
EOF
FROM ‹redis@${sha}›
`,
  },
  {
    title: 'Dockerfile with CRLF, another escape and no end.',
    path: 'app.Dockerfile',
    text: '# escape=`\r\nFROM `\r\n  ‹mcr.microsoft.com/windows/nanoserver:ltsc2025›\r\nfrom ‹nginx›',
  },
  {
    title: 'Terraform: attributes, blocks of set, lists of set, objects in the shape of values.',
    path: 'main.tf',
    text: `# image = "commented:1"
/* image = "commented:2" */
resource "helm_release" "nats" {
  repository = "https://nats-io.github.io/k8s/helm/charts"
  chart      = "nats"
  set {
    name  = "container.image.repository"
    value = "«nats»"
  }
  set {
    name  = "container.image.registry"
    value = "«docker.io»"
  }
  values = [yamlencode({
    image = { registry = "«quay.io»", repository = "«prometheus/node-exporter»", tag = "v1" }
    sidecar = { image : "‹busybox:1.36›" }
  })]
}
resource "helm_release" "other" {
  set = [
    { name = "image.repository", value = "«quay.io/a/b»" },
    { name = "image.tag", value = "1" },
  ]
}
resource "kubernetes_pod" "x" {
  spec {
    container {
      image = "‹nginx:\${var.tag}›" // c
      args  = ["--x=⟨quay.io/a/c:1⟩"]
    }
    container {
      image = var.image
    }
    container {
      image = format("%s:1", "nginx")
    }
  }
}
`,
  },
  {
    title: 'Nomad: the image of a task.',
    path: 'app.nomad',
    text: 'job "a" {\n  task "b" {\n    config { image = "‹redis:7›" }\n  }\n}',
  },
  {
    title: 'A template is told and left.',
    path: 'chart/templates/deployment.yaml',
    text: `{{- if .Values.enabled }}
containers:
  - image: "⟨quay.io/a/b:{{ .Values.tag }}⟩"
  - image: {{ .Values.image }}
  - name: x
    image: ⟨busybox:1.36⟩ # c
    args: [--y=⟨ghcr.io/a/b:2⟩]
{{- end }}
`,
  },
  {
    title: 'What is no YAML for its marks of a template is one.',
    path: 'k8s/a.yaml',
    text: '{% if x %}\nimage: ⟨nginx:1⟩\n{% endif %}\nimage: {{ y }}\n',
  },
  {
    title: 'A script is told and left, its comments are nothing.',
    path: 'mirror.sh',
    text: `#!/bin/sh
# docker pull commented:1
crane copy ⟨k8s.gcr.io/pause:3.9⟩ ⟨registry.example.com/pause⟩
skopeo copy docker://⟨quay.io/a/b:1⟩ "docker://⟨registry.example.com/a/b:1⟩"
docker run --rm -p 80:80 ⟨nginx:1.27⟩ sh -c true
IMAGE=⟨grafana/grafana:11.0.0⟩
curl https://quay.io/v2/a:1
`,
  },
];

const sides = /‹([^›]*)›|«([^»]*)»|⟨([^⟩]*)⟩/g;
const tables = { whole: /‹([^›]*)›/g };

suite('Other formats', () => {
  for (const { title, path, text } of rows)
    test(title, () => {
      const before = text.replaceAll(sides, '$1$2$3');
      const wanted = [...text.matchAll(sides)].map(([all]) => all.slice(1, -1));
      const read = readSource(path, before);
      assert.deepEqual(read.problems, []);
      const found = read.places.flatMap(({ whole, split, image, certainty, offset }) => {
        if (certainty === 'review') return [{ offset, text: image }];
        return [whole, split?.registry, split?.repository].flatMap((slot) =>
          slot === undefined ? [] : [{ offset: slot.start, text: slot.value }],
        );
      });
      const inOrder = found.toSorted((a, b) => a.offset - b.offset);
      assert.deepEqual(
        inOrder.map((each) => each.text),
        wanted,
      );
      const changed = new Map<Slot, string>();
      for (const { whole, certainty } of read.places)
        if (whole !== undefined && certainty === 'image')
          changed.set(whole, `cache.test/${whole.value}`);
      const edits = editsOf(changed);
      assert.ok(edits !== undefined);
      const edited = applyEdits(before, edits);
      const expected = text.replaceAll(tables.whole, 'cache.test/$1').replaceAll(sides, '$1$2$3');
      assert.equal(edited, expected);
      assert.equal(read.check(edited, changed), undefined);
      if (changed.size > 0) assert.notEqual(read.check(before, changed), undefined);
    });
});

for (const [path, format] of [
  ['a/Dockerfile', 'dockerfile'],
  ['Dockerfile.prod', 'dockerfile'],
  ['web.dockerfile', 'dockerfile'],
  ['Containerfile', 'dockerfile'],
  ['Makefile', 'script'],
  ['Kustomization', 'yaml'],
  ['a.YML', 'yaml'],
  ['x.tfvars', 'hcl'],
  ['README.md', undefined],
  ['Dockerfiles/readme', undefined],
] as const)
  test(`${path} is read as ${format ?? 'nothing'}.`, () => assert.equal(formatOf(path), format));

const pieces: readonly string[] =
  'FROM |ARG |AS |--from=|image = |repository = |registry = |tag = |set |name|value|nginx:1|quay.io/a/b|<<EOF|EOF|${|//|/*|\r\n|"|{|}|[|]|(|)|\n|\\|$|,|:|=|#| '.split(
    '|',
  );

test('Any text at all is read in every format, and what changed is what was to change.', () => {
  const any = fc.string({ unit: fc.constantFrom(...pieces), maxLength: 80 });
  const path = fc.constantFrom('Dockerfile', 'a.tf', 'a.sh', 'templates/a.tpl');
  fc.assert(
    fc.property(any, path, (text, name) => {
      const read = readSource(name, text);
      const changed = new Map<Slot, string>();
      for (const { whole } of read.places)
        if (whole !== undefined) {
          assert.equal(text.slice(whole.start, whole.end), whole.value);
          if (parseImageName(whole.value) !== undefined)
            changed.set(whole, `cache.test/${whole.value}`);
        }
      const edits = editsOf(changed);
      if (edits !== undefined)
        assert.equal(read.check(applyEdits(text, edits), changed), undefined);
    }),
    { numRuns: 2000 },
  );
});

const repeated: readonly string[] =
  'set {}\n|a = "|{[(|"${|<<A\n|/*|a = ["x",|# x\n|FROM a \\\n|COPY --mount=from=,from=,from=|image: {{|a.b.c/|x:'.split(
    '|',
  );

for (const piece of repeated)
  test(`Half a megabyte of ${JSON.stringify(piece)} is read in seconds.`, () => {
    const text = piece.repeat(Math.ceil(500_000 / piece.length));
    const begun = performance.now();
    for (const path of ['a.tf', 'Dockerfile', 'a.sh', 'a.tpl']) readSource(path, text);
    assert.ok(performance.now() - begun < 10_000);
  });
