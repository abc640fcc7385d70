// Over generated documents: not a byte changes beside references, whatever style they are written in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseImageName } from '../../domain/names/image-name.ts';
import { readSource } from '../text/read-source.ts';
import { parseImageSource } from '../../domain/names/image-source.ts';
import type { Renaming } from './renaming.ts';
import { rewriteText } from './rewrite-text.ts';
import { unifiedDiff } from './unified-diff.ts';

const toCache: Renaming = (reference) => {
  const name = parseImageName(reference);
  if (name === undefined || name.host === 'cache.test') return { kind: 'unchanged', reason: 'x' };
  const { host, repository, tag, digest } = name;
  const ending = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return { kind: 'rewritten', image: `cache.test/${host}/${repository}${ending}` };
};

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/).filter((text) => text !== 'null');
const image = fc
  .tuple(
    fc.constantFrom(
      '',
      'quay.io/',
      'docker.io/',
      'ghcr.io/',
      'cache.test/',
      'localhost:5000/',
      '[::1]:5000/',
    ),
    fc.array(word, { minLength: 1, maxLength: 3 }),
    fc.constantFrom(
      '',
      ':1.10',
      ':latest',
      `@sha256:${'e'.repeat(64)}`,
      `:v1@sha256:${'f'.repeat(64)}`,
    ),
  )
  .map(([host, path, ending]) => host + path.join('/') + ending);

/** Text around a value: comments, odd blanks. */
const trailing = fc.constantFrom('', ' # nginx:1.27', '  ', '\t# é “quay.io/a/b:1”');
const style = fc.constantFrom(
  'plain',
  'single',
  'double',
  'anchor',
  'tag',
  'folded',
  'literal',
  'alias',
);

interface Piece {
  readonly image: string;
  readonly style: string;
  readonly trailing: string;
}

/** One container as a list's item; what is written of the image is between two marks. */
function container({ image: name, style: how, trailing: after }: Piece, index: number): string {
  // An IPv6 host begins with a bracket, which no plain text does.
  const chosen =
    name.startsWith('[') && ['plain', 'anchor', 'tag', 'alias'].includes(how) ? 'double' : how;
  const marked = `‹${name}›`;
  switch (chosen) {
    case 'single':
      return `  - name: c${index}\n    image: '${marked}'${after}\n`;
    case 'double':
      return `  - "image": "${marked}"${after}\n    args: [ "a b",c ]\n`;
    case 'anchor':
      return `  - {image: &i${index} ${marked}, name: c}${after}\n`;
    case 'tag':
      return `  - image:   !!str ${marked}${after}\n`;
    case 'folded':
      return `  - image: >-${after.trimStart().startsWith('#') ? after : ''}\n      ${marked}\n\n    x: y\n`;
    case 'literal':
      return `  - image: |2-\n      ${marked}\n`;
    case 'alias':
      return `  - image: &a${index} ${marked}${after}\n  - image: *a${index}\n`;
    default:
      return `  - image: ${marked}${after}\n`;
  }
}

const piece = fc.record({ image, style, trailing });
const document = fc
  .record({
    head: fc.constantFrom('', '# comment\n', '\n\n', '%YAML 1.2\n---\n', '--- # start\n'),
    kind: fc.constantFrom('Pod', 'Rollout', '"Pod"'),
    lists: fc.array(
      fc.tuple(fc.constantFrom('containers', 'initContainers'), fc.array(piece, { maxLength: 4 })),
      {
        maxLength: 2,
      },
    ),
    tail: fc.constantFrom('', 'other: {a: [1,  2]}\n', '# end\n', 'text: "a\\\n  b"\n'),
  })
  .map(({ head, kind, lists, tail }) => {
    const body = lists.map(
      ([name, pieces], list) =>
        `spec${list}:\n ${name}:\n${pieces.map((each, index) => container(each, list * 100 + index)).join('')}`,
    );
    return `${head}kind: ${kind}\n${body.join('')}${tail}`;
  });

const text = fc
  .record({
    documents: fc.array(document, { minLength: 1, maxLength: 3 }),
    ends: fc.constantFrom('\n', '\r\n'),
    bom: fc.boolean(),
    last: fc.boolean(),
  })
  .map(({ documents, ends, bom, last }) => {
    const [first = '', ...more] = documents;
    const joined = [
      first,
      ...more.map((each) => (/^(?:%|---)/.test(each) ? `...\n${each}` : `---\n${each}`)),
    ].join('');
    const ended = last ? joined : joined.replace(/\n+$/, '');
    return (bom ? '\ufeff' : '') + ended.replaceAll('\n', ends);
  });

test('Of any document every reference changes, and no other byte.', () => {
  fc.assert(
    fc.property(text, (marked) => {
      const before = marked.replaceAll(/[‹›]/g, '');
      const expected = marked.replaceAll(/‹([^›]*)›/g, (_all, name: string) => {
        const renamed = toCache(name);
        return renamed.kind === 'rewritten' ? renamed.image : name;
      });
      const read = readSource('a.yaml', before);
      assert.deepEqual(read.problems, []);
      const made = rewriteText(before, read, { rename: toCache });
      assert.equal(made.text, expected);
      assert.deepEqual(made.left, []);
      const again = rewriteText(made.text, readSource('a.yaml', made.text), { rename: toCache });
      assert.equal(again.text, made.text);
      assert.equal(patched(before, unifiedDiff('a.yaml', before, expected)), expected);
    }),
    { numRuns: 300 },
  );
});

test('Any text at all is read or told, and never thrown.', () => {
  const odd = fc.string({
    unit: fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '-',
      '[',
      '{',
      '}',
      '"',
      "'",
      '&',
      '*',
      '|',
      '>',
      '#',
      '%',
      '\t',
      '\r',
      '!',
      '<<',
      'image',
      '{{',
    ),
    maxLength: 60,
  });
  const name = fc.constantFrom(
    'a.yaml',
    'values.yaml',
    'a.json',
    'kustomization.yaml',
    '.gitlab-ci.yml',
    'compose.yaml',
  );
  fc.assert(
    fc.property(odd, name, (any, path) => {
      const made = rewriteText(any, readSource(path, any), { rename: toCache });
      if (made.changed.length === 0) assert.equal(made.text, any);
    }),
    { numRuns: 2000 },
  );
});

test('A host or a path of one is what is moved from, and no short name.', () => {
  assert.deepEqual(parseImageSource('K8s.GCR.io'), { host: 'k8s.gcr.io', path: '' });
  assert.deepEqual(parseImageSource('index.docker.io/bitnami/'), {
    host: 'docker.io',
    path: 'bitnami',
  });
  assert.deepEqual(parseImageSource('localhost:5000'), { host: 'localhost:5000', path: '' });
  for (const wrong of [
    'bitnami',
    '',
    'https://quay.io',
    'quay.io/UP',
    'quay.io/a:1',
    ' quay.io',
    'a/b',
  ])
    assert.equal(parseImageSource(wrong), undefined, wrong);
});

/** What `patch` makes of a unified difference. */
function patched(before: string, diff: string): string {
  if (diff === '') return before;
  const lines = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const body = (diff.match(/[^\n]*\n|[^\n]+$/g) ?? []).slice(2);
  let made = '';
  let at = 0;
  for (const [index, line] of body.entries()) {
    const hunk = /^@@ -(\d+),/.exec(line);
    const next = body[index + 1];
    const content =
      next?.startsWith('\\') === true ? line.slice(1).replace(/\n$/, '') : line.slice(1);
    if (hunk !== null) {
      const start = Number(hunk[1]) - 1;
      made += lines.slice(at, start).join('');
      at = start;
    } else if (line.startsWith('-') || line.startsWith(' ')) {
      assert.equal(lines[at], content);
      at += 1;
      if (line.startsWith(' ')) made += content;
    } else if (line.startsWith('+')) made += content;
  }
  return made + lines.slice(at).join('');
}
