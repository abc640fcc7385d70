import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { findJsonProblem } from './json-structure.ts';

suite('what JSON text may not have', () => {
  for (const [what, text, problem] of [
    ['nothing', '{}', undefined],
    ['the same key in two objects', '{"a":{"b":1},"c":{"b":1}}', undefined],
    ['the same text as key and value', '{"a":"a","b":["a","a"]}', undefined],
    ['a key twice', '{"a":1,"a":2}', 'duplicateKey a'],
    ['a key twice with an object between', '{"a":{"x":[]},"b":1,"a":2}', 'duplicateKey a'],
    ['a key twice deep inside', '[[{"x":[{"k":1,"k":1}]}]]', 'duplicateKey k'],
    ['a key twice, once escaped', String.raw`{"a":1,"\u0061":2}`, 'duplicateKey a'],
    ['a key twice with blanks', '{"a" \n:1,"a"\t\r: 2}', 'duplicateKey a'],
    ['an empty key twice', '{"":1,"":2}', 'duplicateKey '],
    ['a quote in a key', String.raw`{"a\"":1,"a\"":2}`, 'duplicateKey a"'],
    ['braces in texts', '{"a":"{{{{","b":"[[[["}', undefined],
    ['three levels', '{"a":[{}]}', undefined],
    ['four levels', '{"a":[{"b":[]}]}', 'tooDeep 3'],
  ] as const) {
    test(`${what} is ${problem === undefined ? 'no problem' : problem}`, () => {
      const found = findJsonProblem(text, 3 + Number(what.endsWith('inside')) * 9);
      assert.equal(found && `${found.kind} ${found.what}`, problem);
    });
  }

  test('keys count as what sameKey says', () => {
    const fold = (key: string): string => key.toLowerCase();
    assert.equal(findJsonProblem('{"layers":[],"Layers":[]}', 9), undefined);
    assert.equal(
      findJsonProblem('{"layers":[],"Layers":[]}', 9, { sameKey: fold })?.what,
      'Layers',
    );
  });

  test('whatever JSON.stringify writes has no key twice', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        assert.equal(findJsonProblem(text, 100), undefined);
      }),
    );
  });

  test('a key that is put in twice anywhere is found', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), (key, one, two) => {
        const name = JSON.stringify(key);
        const text = `{"outer":[{${name}:${JSON.stringify(one)},${name}:${JSON.stringify(two)}}]}`;
        assert.equal(findJsonProblem(text, 100)?.kind, 'duplicateKey');
      }),
    );
  });

  test('any text ends, in time that grows with its length alone', () => {
    fc.assert(fc.property(fc.string(), (text) => void findJsonProblem(text, 100)));
    const started = performance.now();
    for (const bomb of ['[', '{"a":', '"\\', '{"a":1,', '{"\\u0061":1,"b":[],']) {
      findJsonProblem(bomb.repeat((4 * 1024 * 1024) / bomb.length), 100);
    }
    assert.ok(performance.now() - started < 5000);
  });
});
