// Nobody reads what is not theirs: every way in, for every caller, of bytes of every origin (design.md §3, "Whose bytes").
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { HttpAnswer, HttpQuestion } from '../support/http-exchange.ts';
import type { CallerName, Origin, PrivateScene, Treasure } from '../support/private-scene.ts';
import {
  callerNames,
  liar,
  liarsBytes,
  origins,
  setPrivateScene,
} from '../support/private-scene.ts';

const everyone: readonly CallerName[] = ['nobody', 'local', 'importer', 'other account'];
const known: readonly CallerName[] = ['importer'];

/** Who is owed bytes of each origin where they are; nobody is anywhere else. */
const owed: Record<Origin, readonly CallerName[]> = {
  pushed: known,
  credential: known,
  public: everyone,
  'other rule': everyone,
  'removed rule': everyone,
  'removed rule with a credential': known,
  'rule led elsewhere': [],
  'rule led to a liar': [],
  'rule without its credential': [],
  stopped: [],
};

interface Way {
  readonly what: string;
  readonly path: (place: string, one: Treasure) => string;
  readonly question?: HttpQuestion;
  /** What comes where it is owed; absent: it is told of, and not given. */
  readonly gives?: (one: Treasure) => Uint8Array;
}

const layer = (one: Treasure): Uint8Array => one.bytes;
const image = (one: Treasure): Uint8Array => one.manifestBytes;
const blob = (place: string, { digest }: Treasure): string => `/v2/${place}/blobs/${digest}`;
const manifest = (place: string, reference: string): string =>
  `/v2/${place}/manifests/${reference}`;
const range = (text: string): HttpQuestion => ({ headers: { range: text } });
const head: HttpQuestion = { method: 'HEAD' };

const ways: readonly Way[] = [
  { what: 'HEAD of the blob', path: blob, question: head },
  { what: 'GET of the blob', path: blob, gives: layer },
  {
    what: 'its first byte',
    path: blob,
    question: range('bytes=0-0'),
    gives: (one) => one.bytes.subarray(0, 1),
  },
  {
    what: 'a range of it',
    path: blob,
    question: range('bytes=100-299'),
    gives: (one) => one.bytes.subarray(100, 300),
  },
  {
    what: 'its end',
    path: blob,
    question: range('bytes=6000-'),
    gives: (one) => one.bytes.subarray(6000),
  },
  {
    what: 'the manifest by digest',
    path: (place, one) => manifest(place, one.manifest),
    gives: image,
  },
  {
    what: 'HEAD of the manifest',
    path: (place, one) => manifest(place, one.manifest),
    question: head,
  },
  { what: 'the manifest by tag', path: (place, one) => manifest(place, one.tag), gives: image },
  {
    what: 'HEAD of the tag',
    path: (place, one) => manifest(place, one.tag),
    question: head,
  },
  { what: 'tags', path: (place) => `/v2/${place}/tags/list` },
  { what: 'referrers', path: (place, one) => `/v2/${place}/referrers/${one.manifest}` },
];

/** The forms in which a place can be asked for: its name, its host as `ns`, its host as a path, an alias of its host. */
function formsOf(one: Treasure, place: string, path: string): readonly string[] {
  const { host, prefix } = one;
  if (host === undefined || prefix === undefined || place !== one.repository) return [path];
  const rest = path.slice(`/v2/${prefix}/`.length);
  const forms = [path, `/v2/${rest}?ns=${host}`, `/${prefix}/v2/${rest}`];
  if (prefix === 'docker.io')
    forms.push(`/v2/index.docker.io/${rest}`, `/v2/${rest}?ns=registry-1.docker.io`);
  return forms;
}

/** No byte, no size and no name of it, whatever the status; a status that gives something only from a liar. */
function assertNothing(answer: HttpAnswer, one: Treasure, place: string, what: string): void {
  const { status, headers, bytes, text } = answer;
  assert.ok(!bytes.includes(Buffer.from(one.bytes.subarray(1, 32))), `${what}: its bytes`);
  assert.ok(!(bytes.length === 1 && bytes[0] === one.bytes[0]), `${what}: its first byte`);
  for (const size of [one.bytes.length, one.manifestBytes.length]) {
    assert.notEqual(headers['content-length'], String(size), `${what}: its size`);
    assert.ok(!`${headers['content-range']}`.endsWith(`/${size}`), `${what}: its size`);
  }
  assert.ok(!text.includes(one.tag) || status >= 400, `${what}: its tag`);
  assert.ok(!text.includes(one.referrer), `${what}: what refers to it`);
  if (what.includes('tags') || what.includes('referrers')) return;
  if (place === liar || one.origin === 'rule led to a liar') {
    const said = headers['content-length'];
    const lies = status < 300 && [undefined, '1', '200', String(liarsBytes)].includes(said);
    assert.ok(lies || status >= 400 || !answer.complete, `${what}: ${status} ${said}`);
  } else assert.ok(status >= 400 && status < 500, `${what}: ${status}`);
}

function assertGiven(answer: HttpAnswer, one: Treasure, way: Way, what: string): void {
  assert.ok(answer.status === 200 || answer.status === 206, `${what}: ${answer.status}`);
  if (way.gives !== undefined) assert.ok(answer.bytes.equals(way.gives(one)), `${what}: the bytes`);
  if (way.what === 'tags') assert.ok(answer.text.includes(one.tag), what);
  if (way.what === 'referrers') assert.ok(answer.text.includes(one.referrer), what);
}

let scene: PrivateScene;
const treasureOf = (origin: Origin): Treasure => {
  const found = scene.treasures.find((one) => one.origin === origin);
  assert.ok(found);
  return found;
};

suite('nobody reads what is not theirs', () => {
  before(async () => {
    scene = await setPrivateScene();
  });
  after(async () => {
    assert.deepEqual(scene.failures, []);
    await scene[Symbol.asyncDispose]();
  });

  for (const origin of origins) {
    for (const caller of callerNames) {
      const isOwed = owed[origin].includes(caller);
      test(`${origin}: ${caller} is ${isOwed ? 'given' : 'told nothing of'} it where it is`, async () => {
        const one = treasureOf(origin);
        for (const way of ways) {
          for (const path of formsOf(one, one.repository, way.path(one.repository, one))) {
            const answer = await scene.ask(caller, path, way.question);
            const what = `${way.what} by ${path}`;
            if (isOwed) assertGiven(answer, one, way, what);
            else assertNothing(answer, one, one.repository, what);
          }
        }
      });

      test(`${origin}: ${caller} is told nothing of it in a repository that only names it`, async () => {
        const one = treasureOf(origin);
        for (const place of scene.strangers) {
          for (const way of ways) {
            const path = way.path(place, one);
            const answer = await scene.ask(caller, path, way.question);
            assertNothing(answer, one, place, `${way.what} by ${path}`);
          }
        }
      });

      test(`${origin}: ${caller} ${isOwed ? 'mounts it from where it is alone' : 'mounts it from nowhere'}`, async () => {
        const one = treasureOf(origin);
        const mine = `/v2/mine/${caller.replace(' ', '-')}/blobs/uploads/?mount=${one.digest}`;
        const post = { method: 'POST' };
        for (const place of scene.strangers) {
          const { status } = await scene.ask(caller, `${mine}&from=${place}`, post);
          assert.notEqual(status, 201, place);
        }
        // Only a user of this registry may push at all.
        const may = isOwed && caller === 'importer';
        for (const from of ['', `&from=${one.repository}`]) {
          const { status } = await scene.ask(caller, `${mine}${from}`, post);
          assert.equal(status === 201, may, `${from}: ${status}`);
        }
      });
    }
  }
});
