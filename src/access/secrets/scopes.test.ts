import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { formatScope, grantScopes, parseRequestedScopes, parseScope } from './scopes.ts';

suite('a token is limited to', () => {
  for (const [text, repository, rights] of [
    ['repository:team/app:pull', 'team/app', ['pull']],
    ['repository:team/*:pull,push,delete', 'team/*', ['pull', 'push', 'delete']],
    ['repository:*:push,pull,push', '*', ['pull', 'push']],
    ['repository:a?b:delete', 'a?b', ['delete']],
  ] as const) {
    test(text, () => {
      deepEqual(parseScope(text), { repository, rights });
    });
  }

  for (const text of [
    '',
    'repository',
    'repository:a',
    'repository:a:',
    'repository::pull',
    'repository:a:write',
    'repository:a:pull,',
    'repository:a:*',
    'repository:A:pull',
    'repository:a b:pull',
    'repository:a:pull ',
    'registry:catalog:*',
    'repository:a:pull:push',
    `repository:${'a'.repeat(257)}:pull`,
  ]) {
    test(`nothing by ${JSON.stringify(text.slice(0, 40))}`, () => {
      equal(parseScope(text), undefined);
    });
  }

  test('the same by what is written of it', () => {
    const rights = fc.subarray(['pull', 'push', 'delete'] as const, { minLength: 1 });
    const repository = fc.stringMatching(/^[a-z0-9._/*?-]{1,256}$/);
    fc.assert(
      fc.property(repository, rights, (name, some) => {
        const scope = { repository: name, rights: some };
        deepEqual(parseScope(formatScope(scope)), scope);
      }),
    );
  });
});

suite('a client asks for', () => {
  const repository = (name: string, ...rights: readonly string[]) => ({
    kind: 'repository',
    name,
    rights,
  });
  const rows: readonly (readonly [parameters: readonly string[], asked: readonly unknown[]])[] = [
    [[], []],
    [[''], []],
    [['repository:a/b:pull'], [repository('a/b', 'pull')]],
    [['repository:a/b:pull,push'], [repository('a/b', 'pull', 'push')]],
    [['repository:a/b:push,pull'], [repository('a/b', 'pull', 'push')]],
    [['repository:a:*'], [repository('a', 'pull', 'push', 'delete')]],
    [['repository:a:pull,metadata'], [repository('a', 'pull')]],
    [['repository(plugin):a:pull'], [repository('a', 'pull')]],
    [['repository:a:pull repository:b:push'], [repository('a', 'pull'), repository('b', 'push')]],
    [['repository:a:pull', 'repository:a:push'], [repository('a', 'pull', 'push')]],
    [['registry:catalog:*'], [{ kind: 'catalog' }]],
    [['registry:catalog:* repository:a:pull'], [repository('a', 'pull'), { kind: 'catalog' }]],
    [['registry:other:*'], []],
    [['repository:host:5000/a:pull'], []],
    [['repository:A:pull'], []],
    [['repository:*:pull'], []],
    [['repository:a:'], []],
    [['repository:a:write'], []],
    [['aws:a:pull', 'x', ':::', 'repository:a'], []],
    [[`repository:${'a'.repeat(255)}:pull`], [repository('a'.repeat(255), 'pull')]],
    [[`repository:${'a'.repeat(256)}:pull`], []],
  ];
  for (const [parameters, asked] of rows) {
    test(JSON.stringify(parameters).slice(0, 80), () => {
      deepEqual(parseRequestedScopes(parameters), asked);
    });
  }

  test('any text without an error, and no more than fits into a header', () => {
    const many = Array.from({ length: 1000 }, (_, n) => `repository:${'a'.repeat(200)}/${n}:pull`);
    const asked = parseRequestedScopes([many.join(' ')]);
    ok(asked.length > 10 && JSON.stringify(asked).length < 8000);
    equal(parseRequestedScopes(many.map((_, n) => `repository:a${n}:pull`)).length, 64);
    fc.assert(
      fc.property(fc.array(fc.string()), (parameters) => void parseRequestedScopes(parameters)),
    );
  });
});

suite('what is granted', () => {
  const asked = parseRequestedScopes(['repository:team/a:pull,push,delete repository:b:pull']);
  const catalog = parseRequestedScopes(['registry:catalog:*']);

  test('to a credential without limits is what was asked for', () => {
    deepEqual(grantScopes(asked, undefined), [
      { repository: 'team/a', rights: ['pull', 'push', 'delete'] },
      { repository: 'b', rights: ['pull'] },
    ]);
  });

  test('to a limited one lies within its limits, taken together', () => {
    const limits = [
      { repository: 'team/*', rights: ['pull'] as const },
      { repository: 't*', rights: ['push'] as const },
    ];
    deepEqual(grantScopes(asked, limits), [{ repository: 'team/a', rights: ['pull', 'push'] }]);
  });

  test('to one that is limited to nothing is nothing', () => {
    deepEqual(grantScopes([...asked, ...catalog], []), []);
  });

  test('for the catalog is to read what may be read', () => {
    deepEqual(grantScopes(catalog, undefined), [{ repository: '*', rights: ['pull'] }]);
    const limits = [
      { repository: 'team/*', rights: ['pull', 'push'] as const },
      { repository: 'x', rights: ['push'] as const },
    ];
    deepEqual(grantScopes(catalog, limits), [{ repository: 'team/*', rights: ['pull'] }]);
  });
});
