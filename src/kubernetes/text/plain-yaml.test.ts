import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import type { Node } from 'yaml';
import { manifestFiles } from '../../../tests/support/samples/manifest-files.ts';
import type { PlainNode } from './plain-yaml.ts';
import { parsePlainYaml, plainDifference } from './plain-yaml.ts';

const nothing = { value: '', type: 'PLAIN', range: 'nothing' };

/** Both as the same lines: what the values are, and where they stand. */
function ours(node: PlainNode | undefined): unknown {
  if (node === undefined) return nothing;
  if (node.kind === 'list') return node.items.map(ours);
  if (node.kind === 'map')
    return [...node.entries].map(([key, value]) => ({ key, value: ours(value) }));
  const { value, type, range } = node;
  return { value, type, range: value === '' && type === 'PLAIN' ? 'nothing' : range };
}

function theirs(node: Node | null, anchors: Map<string, unknown>): unknown {
  if (node === null) return nothing;
  if (isAlias(node)) return anchors.get(node.source);
  if (isSeq(node)) return node.items.map((item) => theirs(item as Node, anchors));
  if (isMap(node))
    return node.items.map(({ key, value }) => ({
      key: isScalar(key) ? key.value : key,
      value: theirs(value as Node, anchors),
    }));
  if (!isScalar(node)) return 'odd';
  const { value, type, range, anchor } = node;
  const [start = 0, end = 0] = range ?? [];
  // A block's end is where its last line ends.
  const at = type === 'BLOCK_LITERAL' ? [start] : [start, end];
  const said = { value, type, range: value === '' && type === 'PLAIN' ? 'nothing' : at };
  if (anchor !== undefined) anchors.set(anchor, said);
  return said;
}

function compare(text: string): 'plain' | 'left to the library' {
  const plain = parsePlainYaml(text);
  if (plain === undefined) return 'left to the library';
  const parsed = parseAllDocuments(text, {
    schema: 'failsafe',
    uniqueKeys: false,
    logLevel: 'silent',
  });
  const documents = Array.isArray(parsed) ? parsed : [];
  assert.deepEqual(
    documents.flatMap(({ errors }) => errors.map(({ code }) => code)),
    [],
  );
  const begins = JSON.parse(JSON.stringify(plain.map(ours)), (_key, value) =>
    value !== null && typeof value === 'object' && value.type === 'BLOCK_LITERAL'
      ? { ...value, range: [value.range[0]] }
      : value,
  );
  assert.deepEqual(
    begins,
    documents.map(({ contents }) => theirs(contents, new Map())),
  );
  return 'plain';
}

test('Manifests as people write them are plain, and read as the library reads them.', () => {
  for (const { before } of manifestFiles(60, 'r.example.com'))
    assert.equal(compare(before), 'plain');
});

test('Of any text it says what the library says, or nothing.', () => {
  const unit = fc.constantFrom(
    ...'a|b: |- |  |\n|\r\n|"|\'|{|}|[|]|, |,|#| #|&x |*x|---|--- # c\n|...|-|:|?|!|\n  |\n    |a: |k: v|"q": |\n- |\n- a: |x: |- |c|\n\n|%|@|`|>|<<: |1.0|nginx:1|: '.split(
      '|',
    ),
    '|',
    '|-',
    'a: |\n  ',
    'a: |-\n    ',
  );
  let plain = 0;
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 25 }), (text) => {
      if (compare(text) === 'plain') plain += 1;
    }),
    { numRuns: 20_000 },
  );
  assert.ok(plain > 100, `${plain}`);
});

for (const [title, before, after] of [
  ['another value', 'a: 1\n', 'a: 2\n'],
  ['another value in a list', 'a: [x, y]\n', 'a: [x, z]\n'],
  ['another key', 'a: 1\n', 'b: 1\n'],
  ['a key more', 'a: 1\n', 'a: 1\nb: 1\n'],
  ['an item less', '- a\n- b\n', '- a\n'],
  ['a document more', 'a: 1\n', 'a: 1\n---\nb: 1\n'],
  ['a map for a text', 'a: b\n', 'a: {b: c}\n'],
  ['quotes', 'a: b\n', 'a: "b"\n'],
] as const)
  test(`It tells ${title}.`, () => {
    const [one, other] = [parsePlainYaml(before), parsePlainYaml(after)];
    assert.ok(one !== undefined && other !== undefined);
    assert.equal(plainDifference(one, one, new Map()), undefined);
    assert.notEqual(plainDifference(one, other, new Map()), undefined);
    assert.notEqual(plainDifference(one, one, new Map([[{}, 'x']])), undefined);
  });

for (const piece of [
  '[',
  '{a: ',
  '- ',
  'a:\n',
  '- a: |\n    x\n',
  'a ',
  '&a b\n',
  "'",
  'k: [1, 2]\n',
  '- *a\n',
  '\n',
])
  test(`A megabyte of ${JSON.stringify(piece)} is read or given up in seconds.`, () => {
    const begun = performance.now();
    parsePlainYaml(piece.repeat(1_000_000 / piece.length));
    parsePlainYaml(`a: ${piece.repeat(1_000_000 / piece.length)}`);
    assert.ok(performance.now() - begun < 5000);
  });
