import { deepEqual, equal, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import type { Flight } from './flights.ts';
import { Flights } from './flights.ts';
import { waitUnder } from './waiting.ts';

const never = new AbortController().signal;
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Work that ends when it is told to. */
function start() {
  const clock = createFakeClock();
  const flights = new Flights<string>(clock);
  const begun: { readonly flight: Flight; readonly end: PromiseWithResolvers<string> }[] = [];
  const work = (flight: Flight): Promise<string> => {
    const end = Promise.withResolvers<string>();
    begun.push({ flight, end });
    return end.promise;
  };
  return { clock, flights, begun, work };
}

suite('work under way', () => {
  test('is done once for all who ask meanwhile, each key for itself', async () => {
    const { flights, begun, work } = start();
    const all = ['a', 'a', 'b'].map((key) => flights.join(key, work));
    deepEqual(
      all.map(({ joined }) => joined),
      [false, true, false],
    );
    equal(begun.length, 2);
    begun[0]?.end.resolve('one');
    begun[1]?.end.resolve('two');
    deepEqual(await Promise.all(all.map(({ promise }) => promise)), ['one', 'one', 'two']);
  });

  test('who comes after its end begins it anew', async () => {
    const { flights, begun, work } = start();
    const first = flights.join('a', work);
    begun[0]?.end.resolve('one');
    await first.promise;
    equal(flights.join('a', work).joined, false);
  });

  test('says when it began, to those who joined later too', () => {
    const { clock, flights, work } = start();
    clock.advance(5);
    flights.join('a', work);
    clock.advance(7);
    equal(flights.join('a', work).startedAt, 5);
  });

  test('a failure reaches each who waits, and fails nobody who does not', async () => {
    const { flights, begun, work } = start();
    const { promise } = flights.join('a', work);
    const left = waitUnder(flights.join('a', work).promise, AbortSignal.abort(new Error('left')));
    await rejects(left, /left/);
    begun[0]?.end.reject(new Error('no'));
    await rejects(promise, /no/);
    void flights.join('b', work);
    begun[1]?.end.reject(new Error('unheard'));
    await settle();
  });

  test('goes on when all who joined have left', async () => {
    const { flights, begun, work } = start();
    const leaving = new AbortController();
    const waiting = waitUnder(flights.join('a', work).promise, leaving.signal);
    leaving.abort(new Error('left'));
    await rejects(waiting, /left/);
    equal(begun[0]?.flight.signal.aborted, false);
    equal(flights.join('a', work).joined, true);
  });

  test('what is forgotten is not joined any more, and knows it', async () => {
    const { flights, begun, work } = start();
    const before = flights.join('a', work);
    flights.forget('a');
    const after = flights.join('a', work);
    deepEqual(
      begun.map(({ flight }) => flight.forgotten),
      [true, false],
    );
    begun[0]?.end.resolve('old');
    begun[1]?.end.resolve('new');
    deepEqual(await Promise.all([before.promise, after.promise]), ['old', 'new']);
  });

  test('the end of what was forgotten takes away nothing that began after it', async () => {
    const { flights, begun, work } = start();
    const before = flights.join('a', work);
    flights.clear();
    flights.join('a', work);
    begun[0]?.end.resolve('old');
    await before.promise;
    equal(flights.join('a', work).joined, true);
  });
});

suite('work that is shared', () => {
  test('is aborted when the last who waits has left, not before', async () => {
    const { flights, begun, work } = start();
    const leaving = [new AbortController(), new AbortController()];
    const waiting = leaving.map(({ signal }) => rejects(flights.share('a', work, signal), /left/));
    leaving[0]?.abort(new Error('left'));
    await waiting[0];
    equal(begun[0]?.flight.signal.aborted, false);
    leaving[1]?.abort(new Error('left'));
    await waiting[1];
    equal(begun[0]?.flight.signal.aborted, true);
    equal(begun.length, 1);
  });

  test('nobody joins what is being aborted', async () => {
    const { flights, begun, work } = start();
    const leaving = new AbortController();
    const first = rejects(flights.share('a', work, leaving.signal), /left/);
    leaving.abort(new Error('left'));
    await first;
    const second = flights.share('a', work, never);
    begun[1]?.end.resolve('yes');
    equal(await second, 'yes');
  });

  test('who has left before it begins begins nothing', async () => {
    const { flights, begun, work } = start();
    await rejects(flights.share('a', work, AbortSignal.abort(new Error('left'))), /left/);
    equal(begun.length, 0);
  });
});
