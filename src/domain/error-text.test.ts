import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { errorText } from './error-text.ts';

const coded = (message: string, code: string): Error => Object.assign(new Error(message), { code });

suite('what an error says', () => {
  for (const [name, error, text] of [
    ['its message', new Error('no'), 'no'],
    ['its code, where it has no message', coded('', 'ECONNRESET'), 'ECONNRESET'],
    ['its name, where it has neither', new TypeError(), 'TypeError'],
    [
      'its parts, each once',
      new AggregateError([new Error('a'), new Error('b'), new Error('a')]),
      'a; b',
    ],
    ['its own message before its parts', new AggregateError([new Error('a')], 'all'), 'all'],
    ['its name, where it has no parts', new AggregateError([]), 'AggregateError'],
    ['itself, where it is none', 'why', 'why'],
    ['something, where it is nothing', '', 'an error without words'],
    ['something, where it is undefined', undefined, 'undefined'],
  ] as const)
    test(name, () => assert.equal(errorText(error), text));

  test('where nothing listens on either address of a name, both', async () => {
    const socket = connect({
      host: 'both',
      port: 1,
      lookup: (_host, _options, answer) =>
        answer(null, [
          { address: '127.0.0.1', family: 4 },
          { address: '127.0.0.2', family: 4 },
        ]),
    });
    const [error] = (await once(socket, 'error').catch((thrown: unknown) => [thrown])) as [Error];
    assert.equal(error.message, '');
    assert.match(
      errorText(error),
      /^connect ECONNREFUSED 127\.0\.0\.1:1; connect ECONNREFUSED 127\.0\.0\.2:1$/,
    );
  });
});
