import { deepEqual, equal, rejects } from 'node:assert/strict';
import { attempt, once, onceRead } from '../../../src/coordination/call-attempt.ts';
import { mutableTags } from '../../../src/domain/names/tag-mutability.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import type { MetadataRow } from './row.ts';
import { home, keyOf, manifestInput } from './samples.ts';

const none = { steps: new Map<string, unknown>(), found: {} };
const at = 1000;

function create({ repositories }: Metadata, name: string): Promise<boolean> {
  return repositories.createRepository({ ...keyOf(name), tagMutability: mutableTags, now: 5 });
}

const remove = ({ repositories }: Metadata, name: string): Promise<string> =>
  repositories.deleteRepository({ ...keyOf(name), force: false });

/** Calls that their clients make again. */
export const callsRows: readonly MetadataRow[] = [
  {
    name: 'a write on the way of a call leaves its record with it, and what the call has found',
    async run(metadata) {
      await attempt({ call: 'c', at, earlier: none }, async () => {
        once('id', () => 'made up');
        await onceRead('row', async () => ({ a: [1, null] }));
        equal(await create(metadata, 'a'), true);
        equal(await create(metadata, 'a'), false);
        equal(await remove(metadata, 'a'), 'deleted');
      });
      deepEqual(await metadata.calls.findCall('c', 0), {
        steps: new Map<string, unknown>([
          ['createRepository 1', true],
          ['createRepository 2', false],
          ['deleteRepository 1', 'deleted'],
        ]),
        found: { id: 'made up', row: { a: [1, null] } },
      });
      equal(await metadata.calls.findCall('c', at), undefined, 'too old');
      equal(await metadata.calls.findCall('d', 0), undefined);
    },
  },
  {
    name: 'a write that fails leaves no record, and one that answers nothing leaves one',
    async run(metadata) {
      await attempt({ call: 'c', at, earlier: none }, async () => {
        const bad = { ...manifestInput('quay.io/a', 'one'), now: null as unknown as number };
        await rejects(metadata.manifests.storeManifest(bad));
        await metadata.repositories.setRegistrySetting({
          registry: home,
          name: 'x',
          value: '1',
          now: 1,
        });
      });
      deepEqual(
        (await metadata.calls.findCall('c', 0))?.steps,
        new Map([['setRegistrySetting 1', undefined]]),
      );
    },
  },
  {
    name: 'two attempts at once do it once: the other is told so and changes nothing',
    async run(metadata) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) =>
          attempt({ call: 'c', at, earlier: none }, () =>
            metadata.repositories.addToRegistrySetting({
              registry: home,
              name: 'x',
              member: `m${index}`,
              membersMax: 10,
              now: 1,
            }),
          ),
        ),
      );
      equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
      for (const each of outcomes)
        if (each.status === 'rejected') equal(each.reason.reason, 'repeated');
      equal((await metadata.repositories.listRegistrySetting(home, 'x')).length, 1);
    },
  },
  {
    name: 'an attempt after it is answered what the first was, and goes on where that ended',
    async run(metadata) {
      await attempt({ call: 'c', at, earlier: none }, async () => {
        once('id', () => 1);
        await create(metadata, 'a');
      });
      await remove(metadata, 'a');
      const earlier = (await metadata.calls.findCall('c', 0)) ?? none;
      await attempt({ call: 'c', at: 2000, earlier }, async () => {
        equal(
          once('id', () => 2),
          1,
        );
        equal(await create(metadata, 'a'), true);
        equal(await metadata.repositories.findRepository(keyOf('a')), undefined);
        equal(await create(metadata, 'b'), true, 'a write of that name, but another one');
      });
      equal((await metadata.repositories.findRepository(keyOf('b')))?.createdAt, 5);
    },
  },
  {
    name: 'what goes on after a call has ended is no step of it',
    async run(metadata) {
      const going = Promise.withResolvers<void>();
      const later = { done: Promise.resolve(false) };
      await attempt({ call: 'c', at, earlier: none }, async () => {
        later.done = going.promise.then(() => create(metadata, 'a'));
      });
      going.resolve();
      equal(await later.done, true);
      equal(await metadata.calls.findCall('c', 0), undefined);
    },
  },
  {
    name: 'the first answer of a call stays, and goes with its steps when it is old or of a time that has not come',
    async run(metadata) {
      const { calls } = metadata;
      await attempt({ call: 'a', at, earlier: none }, () => create(metadata, 'a'));
      await calls.recordAnswers([
        { call: 'a', answer: '{"one":1}', at },
        { call: 'b', answer: '2', at: 2000 },
        { call: 'c', answer: '3', at: 9000 },
      ]);
      await calls.recordAnswers([{ call: 'a', answer: 'other', at }]);
      equal((await calls.findCall('a', 0))?.answer, '{"one":1}');
      await calls.pruneCalls({ before: 1001, after: 8999 });
      equal(await calls.findCall('a', 0), undefined);
      equal((await calls.findCall('b', 0))?.answer, '2');
      equal(await calls.findCall('c', 0), undefined);
      const many = Array.from({ length: 1200 }, (_, index) => ({
        call: `m${index}`,
        answer: '',
        at,
      }));
      await calls.recordAnswers(many);
      await calls.pruneCalls({ before: 1001, after: 8999 });
      equal(await calls.findCall('m0', 0), undefined);
      equal(await calls.findCall('m1199', 0), undefined);
    },
  },
];
