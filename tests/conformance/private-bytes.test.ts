// Nobody reads what is not theirs: every way in, for every caller, of bytes of every origin (ARCHITECTURE.md, "Whose bytes").
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { HttpAnswer, HttpQuestion } from '../support/clients/http-exchange.ts';
import type { CallerName } from '../support/rigs/private-front.ts';
import { callerNames, ownHost } from '../support/rigs/private-front.ts';
import type { Origin, PrivateScene, Treasure } from '../support/rigs/private-scene.ts';
import { liar, liarsBytes, origins, setPrivateScene } from '../support/rigs/private-scene.ts';

const known: readonly CallerName[] = ['importer', 'operator'];
const everyone: readonly CallerName[] = ['nobody', 'local', 'other account', ...known];

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

/** Whose names are hidden from who may not read there. */
const isPrivate: readonly Origin[] = [
  'pushed',
  'credential',
  'removed rule with a credential',
  'rule without its credential',
];

interface Way {
  readonly what: string;
  readonly path: (place: string, one: Treasure) => string;
  readonly question?: HttpQuestion | ((one: Treasure) => HttpQuestion);
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
const unlessSame =
  (of: (one: Treasure) => string) =>
  (one: Treasure): HttpQuestion => ({ headers: { 'if-none-match': `"${of(one)}"` } });

function questionOf({ question }: Way, one: Treasure): HttpQuestion | undefined {
  return typeof question === 'function' ? question(one) : question;
}

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
  { what: 'what is beyond its end', path: blob, question: range('bytes=999999-') },
  {
    what: 'its last bytes',
    path: blob,
    question: range('bytes=-50'),
    gives: (one) => one.bytes.subarray(-50),
  },
  {
    what: 'two ranges of it',
    path: blob,
    question: range('bytes=0-0,2-2'),
    gives: layer,
  },
  { what: 'whether it is another', path: blob, question: unlessSame((one) => one.digest) },
  {
    what: 'whether the manifest is another',
    path: (place, one) => manifest(place, one.manifest),
    question: unlessSame((one) => one.manifest),
  },
  {
    what: 'whether the tag leads elsewhere',
    path: (place, one) => manifest(place, one.tag),
    question: unlessSame((one) => one.manifest),
  },
  { what: 'the first of the tags', path: (place) => `/v2/${place}/tags/list?n=1` },
  {
    what: 'referrers of a type',
    path: (place, one) =>
      `/v2/${place}/referrers/${one.manifest}?artifactType=application/vnd.secret`,
  },
  { what: 'tags', path: (place) => `/v2/${place}/tags/list` },
  { what: 'referrers', path: (place, one) => `/v2/${place}/referrers/${one.manifest}` },
];

/** The forms in which a place can be asked for: its name, its host as `ns`, its host as a path, an alias of its host. */
function formsOf(one: Treasure, place: string, path: string): readonly string[] {
  const { host, prefix } = one;
  if (host === undefined || prefix === undefined || place !== one.repository) return [path];
  const rest = path.slice(`/v2/${prefix}/`.length);
  const and = rest.includes('?') ? '&' : '?';
  const forms = [path, `/v2/${rest}${and}ns=${host}`, `/${prefix}/v2/${rest}`];
  if (prefix === 'docker.io')
    forms.push(`/v2/index.docker.io/${rest}`, `/v2/${rest}${and}ns=registry-1.docker.io`);
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
  if (/\/(tags\/list|referrers\/)/.test(what)) return;
  // A remembered no is a hit too.
  if (status < 400) assert.doesNotMatch(String(headers['cache-status']), /; hit/, `${what}: a hit`);
  if (place === liar || one.origin === 'rule led to a liar') {
    const said = headers['content-length'];
    const lies = status < 400 && [undefined, '1', '200', String(liarsBytes)].includes(said);
    assert.ok(lies || status >= 400 || !answer.complete, `${what}: ${status} ${said}`);
  } else assert.ok(status >= 400 && status < 500, `${what}: ${status}`);
}

function assertGiven(answer: HttpAnswer, one: Treasure, way: Way, what: string): void {
  const told = way.what.startsWith('whether ') ? 304 : way.what.includes('beyond') ? 416 : 206;
  assert.ok([200, told].includes(answer.status), `${what}: ${answer.status}`);
  if (told === 416) assert.equal(answer.headers['content-range'], `bytes */${one.bytes.length}`);
  if (way.gives !== undefined) assert.ok(answer.bytes.equals(way.gives(one)), `${what}: the bytes`);
  if (way.what.includes('tags')) assert.ok(answer.text.includes(one.tag), what);
  if (way.what.includes('referrers')) assert.ok(answer.text.includes(one.referrer), what);
}

/** What `/api/v1` says of a repository's content, to whoever has credentials. */
function views({ repository, tag, manifest: digest, referrer }: Treasure): readonly string[] {
  const of = `repository=${repository}&account=000000000000`;
  return [
    `/api/v1/tags?${of}`,
    `/api/v1/images?${of}`,
    `/api/v1/image?${of}&reference=${tag}`,
    `/api/v1/image?${of}&reference=${digest}`,
    `/api/v1/image?${of}&reference=${referrer}`,
  ];
}

function assertShown({ status, text }: HttpAnswer, one: Treasure, view: string): void {
  assert.equal(status, 200, view);
  assert.ok(text.includes(view.includes(one.referrer) ? one.referrer : one.manifest), view);
  assert.ok(!text.includes(' as c:u'), `${view}: as whom it was read`);
  const isOne = view.includes('/image?') && !view.includes(one.referrer);
  if (isOne) assert.ok(text.includes(one.digest) && text.includes(one.referrer), view);
}

/** Neither names nor digests nor sizes, and no sum of sizes. */
function assertNotShown({ status, text }: HttpAnswer, one: Treasure, view: string): void {
  if (status >= 400) return assert.ok([403, 404].includes(status), `${view}: ${status}`);
  for (const secret of [one.tag, one.digest, one.manifest, one.referrer])
    assert.ok(!text.includes(secret), `${view}: ${secret}`);
  assert.deepEqual(JSON.parse(text), { items: [], next: null }, view);
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
            const answer = await scene.ask(caller, path, questionOf(way, one));
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
            const answer = await scene.ask(caller, path, questionOf(way, one));
            assertNothing(answer, one, place, `${way.what} by ${path}`);
          }
        }
      });

      test(`${origin}: ${caller} is ${isOwed ? 'shown' : 'told nothing of'} it by /api/v1`, async () => {
        const one = treasureOf(origin);
        for (const view of views(one)) {
          const answer = await scene.ask(caller, view);
          // Anonymous reads nothing there, and the operator everything.
          if (caller === 'nobody' || caller === 'local') assert.equal(answer.status, 401, view);
          else if (isOwed || caller === 'operator') assertShown(answer, one, view);
          else assertNotShown(answer, one, view);
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
        const may = isOwed && known.includes(caller);
        for (const from of ['', `&from=${one.repository}`]) {
          const { status } = await scene.ask(caller, `${mine}${from}`, post);
          assert.equal(status === 201, may, `${from}: ${status}`);
        }
      });
    }
  }

  for (const origin of origins) {
    test(`${origin}: explain forecasts what a pull is answered`, async () => {
      const one = treasureOf(origin);
      const place = one.repository;
      for (const reference of [`:${one.tag}`, `@${one.manifest}`]) {
        const path = manifest(place, reference.slice(1));
        // Answered from what is here: upstream is asked nothing for who may not import.
        const { status } = await scene.ask('operator', path);
        const explained = await scene.ask(
          'operator',
          `/api/v1/explain?image=${ownHost}/${place}${reference}`,
        );
        assert.equal(explained.status, 200);
        const { code, text } = JSON.parse(explained.text).verdict;
        const served = ['hit', 'hitPartial', 'stale', 'revalidate'].includes(code);
        const owes = owed[origin].length > 0;
        assert.equal(status === 200, owes, `${path}: ${status}`);
        if (owes) assert.ok(served, `${path}: ${code}, ${text}`);
        else assert.ok(!['hit', 'hitPartial', 'stale'].includes(code), `${path}: ${code}, ${text}`);
      }
    });
  }

  for (const caller of callerNames) {
    test(`${caller} is told by lists of the repositories that a pull would not hide`, async () => {
      for (const list of ['/v2/_catalog', '/api/v1/repositories?limit=100&account=000000000000']) {
        const { status, text } = await scene.ask(caller, list);
        const anonymous = caller === 'nobody' || caller === 'local';
        if (list.startsWith('/api') && anonymous) {
          assert.equal(status, 401);
          continue;
        }
        for (const one of scene.treasures) {
          // A name is no content: where nobody is owed any, who may read there sees it all the same.
          const hides =
            caller === 'denied' || (isPrivate.includes(one.origin) && !known.includes(caller));
          if (hides) assert.ok(!text.includes(`"${one.repository}"`), `${list}: ${one.repository}`);
        }
        if (known.includes(caller)) assert.ok(text.includes('"docker.io/pub/app"'), text);
      }
    });

    test(`${caller} is ${caller === 'operator' ? 'shown' : 'refused'} explanations`, async () => {
      for (const one of scene.treasures) {
        const path = `/api/v1/explain?image=${ownHost}/${one.repository}:${one.tag}`;
        const { status, text } = await scene.ask(caller, path);
        assert.equal(status < 300, caller === 'operator', `${path}: ${status}`);
        if (caller !== 'operator') assert.ok(!text.includes(one.manifest));
      }
    });
  }
});
