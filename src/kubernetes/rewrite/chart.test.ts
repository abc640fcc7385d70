import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseImageName } from '../../domain/names/image-name.ts';
import { readSource } from '../text/read-source.ts';
import { createChart } from './chart.ts';
import type { Renaming } from './renaming.ts';
import { rewriteText } from './rewrite-text.ts';

const rename: Renaming = (reference) => {
  const name = parseImageName(reference);
  if (name === undefined || name.host === 'cache.test') return { kind: 'unchanged', reason: 'x' };
  return { kind: 'rewritten', image: `cache.test/${name.host}/${name.repository}` };
};

interface Row {
  readonly title: string;
  readonly values?: string;
  readonly template?: string;
  /** What is said instead of an edit; absent: the repository is edited. */
  readonly reason?: RegExp;
}

const plain = 'image: "{{ .Values.app.image.repository }}:{{ .Values.app.image.tag }}"\n';

const rows: readonly Row[] = [
  { title: 'A template that prints nothing before it: it is a whole name.', template: plain },
  {
    title: 'A registry for all that is empty puts nothing before it.',
    values: 'global: {imageRegistry: ""}\napp: {image: {registry: "", repository: x}}\n',
    template: plain,
  },
  {
    title: 'Printed with quotes, from the root.',
    template: 'image: {{ $.Values.app.image.repository | quote }}\n',
  },
  {
    title: 'Printed by printf as its first argument.',
    template: 'image: {{ printf "%s:%s" .Values.app.image.repository .Values.app.image.tag }}\n',
  },
  {
    title: 'The chart’s values have a registry beside it.',
    values: 'app: {image: {registry: quay.io, repository: x}}\n',
    template: plain,
    reason: /puts quay\.io before it: set app\.image\.registry to cache\.test\/quay\.io$/,
  },
  {
    title: 'The chart has a registry for all.',
    values: 'global: {imageRegistry: quay.io}\n',
    template: plain,
    reason: /puts global\.imageRegistry before it/,
  },
  {
    title: 'A template puts something before it.',
    template: '# c\nimage: "{{ .Values.hub }}/{{ .Values.app.image.repository }}"\n',
    reason: /\(templates\/a\.yaml:2\)/,
  },
  {
    title: 'One template of two puts something before it.',
    template: `${plain}other: quay.io/{{ .Values.app.image.repository }}\n`,
    reason: /\(templates\/a\.yaml:2\)/,
  },
  {
    title: 'printf puts something before it.',
    template: 'image: {{ printf "%s/%s" .Values.hub .Values.app.image.repository }}\n',
    reason: /puts something before it/,
  },
  {
    title: 'A text before it in printf is something.',
    template: 'image: {{ printf "quay.io/%s" .Values.app.image.repository }}\n',
    reason: /puts something before it/,
  },
  {
    title: 'A default of another kind is something that nobody can tell.',
    template: 'image: {{ .Values.app.image.repository | default .Values.x }}\n',
    reason: /puts something before it/,
  },
  {
    title: 'Handed over to a helper: nobody can tell.',
    template: 'image: {{ include "app.image" .Values.app.image }}\n',
    reason: /no template of its chart prints it/,
  },
  {
    title: 'A longer name is another value.',
    template: 'image: "{{ .Values.app.image.repositoryOverride }}"\n',
    reason: /no template of its chart prints it/,
  },
];

const text = 'app:\n  image:\n    repository: grafana/grafana\n    tag: "11"\n';

suite('A repository without a registry beside it is decided by its chart', () => {
  for (const { title, values = '{}', template = '', reason } of rows)
    test(title, () => {
      const chart = createChart({
        values: [{ under: [], text: values }],
        templates: [{ path: 'templates/a.yaml', text: template }],
      });
      const made = rewriteText(text, readSource('values.yaml', text), { rename, chart });
      if (reason === undefined) {
        assert.equal(made.text, text.replace('grafana/', 'cache.test/docker.io/grafana/'));
        assert.deepEqual(made.left, []);
      } else {
        assert.equal(made.text, text);
        assert.match(made.left[0]?.reason ?? '', reason);
      }
    });

  test('A chart below it says what its own values are; what is said of it above goes first.', () => {
    const below = createChart({
      values: [
        { under: [], text: '{}' },
        { under: ['app'], text: 'image: {registry: quay.io}' },
      ],
      templates: [{ path: 'templates/a.yaml', text: plain }],
    });
    const made = rewriteText(text, readSource('values.yaml', text), { rename, chart: below });
    assert.match(made.left[0]?.reason ?? '', /puts quay\.io before it/);
  });

  test('In a HelmRelease the values are found under spec.values.', () => {
    const release = `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    app: {image: {repository: grafana/grafana, tag: "1"}}\n`;
    const chart = createChart({ values: [], templates: [{ path: 'a', text: plain }] });
    const made = rewriteText(release, readSource('a.yaml', release), { rename, chart });
    assert.equal(made.text, release.replace('grafana/', 'cache.test/docker.io/grafana/'));
  });
});
