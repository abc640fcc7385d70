// kill -9 at any moment of a push: what was acknowledged is there afterwards, what was not is not, and an upload goes on.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { mediaTypes } from '../../src/domain/manifests/media-type.ts';
import { descriptorOf, clientOfFile, withQuery } from '../support/clients/registry-client.ts';
import type { RegistryClient } from '../support/clients/registry-client.ts';
import type { HttpAnswer } from '../support/clients/http-exchange.ts';
import { createSeededRandom } from '../soak/seeded-random.ts';
import { digestOf } from '../support/samples/digest.ts';

const seed = Number(process.env['BREAKWATER_KILL_SEED'] ?? Date.now() % 2 ** 31);
const kills = Number(process.env['BREAKWATER_PUSH_KILLS'] ?? 10);
const random = createSeededRandom(seed);
const repository = 'killed/pushes';
const root = `/v2/${repository}`;
const clients = 3;
const chunkBytesMax = 400_000;
/** Most kills come in the middle of pushes, which take about so long. */
const killWithinMs = 400;

/** A blob on its way in, or all that one client knows about it. */
interface Push {
  readonly bytes: Buffer;
  readonly digest: string;
  location: string | undefined;
  /** Bytes that the server said it has. */
  acknowledged: number;
  /** `asked`: it may have been finished, since the request for it was sent. */
  state: 'open' | 'asked' | 'stored';
}

interface Image {
  readonly text: string;
  readonly tag: string;
  readonly blob: Push;
  state: 'asked' | 'stored';
}

const client = await clientOfFile();
const pushes: Push[] = [];
const images: Image[] = [];
let made = 0;
let resumed = 0;
let interrupted = 0;

function newPush(): Push {
  made += 1;
  const content = createSeededRandom(seed + made);
  const bytes = Buffer.from(
    Uint8Array.from({ length: 1 + random.below(1_500_000) }, () => content.below(256)),
  );
  const digest = digestOf(bytes);
  const push: Push = { bytes, digest, location: undefined, acknowledged: 0, state: 'open' };
  pushes.push(push);
  return push;
}

/** Anything but this status throws; so does a connection that the kill broke. */
async function ask(
  status: number,
  ...request: Parameters<RegistryClient['ask']>
): Promise<HttpAnswer> {
  const answer = await client.ask(...request);
  ok(answer.complete, 'the answer is whole');
  equal(answer.status, status, answer.text);
  return answer;
}

/** From where the upload is to its end, in chunks; the last one comes with the PUT. */
async function pushOn(push: Push): Promise<void> {
  if (push.location === undefined) {
    const { headers } = await ask(202, 'POST', `${root}/blobs/uploads/`);
    push.location = headers.location ?? '';
  }
  const closing = withQuery(push.location, { digest: push.digest });
  for (;;) {
    const start = push.acknowledged;
    const body = push.bytes.subarray(start, start + 1 + random.below(chunkBytesMax));
    const end = start + body.length;
    const last = end === push.bytes.length;
    const range = `${String(start)}-${String(end - 1)}`;
    const question = {
      body,
      ...(body.length === 0 ? {} : { headers: { 'Content-Range': range } }),
    };
    if (last) push.state = 'asked';
    await ask(last ? 201 : 202, last ? 'PUT' : 'PATCH', last ? closing : push.location, question);
    if (last) break;
    push.acknowledged = end;
  }
  push.state = 'stored';
}

async function pushImage(blob: Push): Promise<void> {
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptorOf('application/vnd.oci.image.config.v1+json', blob.bytes),
    layers: [],
  });
  const image: Image = { text, tag: `v${String(images.length)}`, blob, state: 'asked' };
  images.push(image);
  const headers = { 'Content-Type': mediaTypes.ociManifest };
  await ask(201, 'PUT', `${root}/manifests/${image.tag}`, { headers, body: text });
  image.state = 'stored';
}

/** Pushes one after the other until the server is killed. */
async function keepPushing(killed: () => boolean): Promise<void> {
  while (!killed()) {
    try {
      const push = newPush();
      await pushOn(push);
      await pushImage(push);
    } catch (error) {
      if (!killed()) throw error;
      interrupted += 1;
    }
  }
}

async function assertBlob(push: Push): Promise<void> {
  const answer = await client.ask('GET', `${root}/blobs/${push.digest}`);
  const is = answer.status === 200;
  // The answer to the last request was lost: either way is right, and what is there is whole.
  if (push.state !== 'asked') equal(is, push.state === 'stored', `${push.state} ${answer.text}`);
  if (!is) return equal(answer.status, 404, answer.text);
  ok(answer.complete && answer.bytes.equals(push.bytes), 'the bytes are those pushed');
  push.state = 'stored';
}

async function assertImage(image: Image): Promise<void> {
  const digest = digestOf(image.text);
  const answers = await Promise.all(
    [image.tag, digest].map((reference) => client.ask('GET', `${root}/manifests/${reference}`)),
  );
  const statuses = answers.map(({ status }) => status);
  const is = image.state === 'stored' || statuses[0] === 200;
  deepEqual(statuses, is ? [200, 200] : [404, 404]);
  if (!is) return;
  for (const answer of answers) equal(answer.text, image.text);
  equal(image.blob.state, 'stored');
  image.state = 'stored';
}

/** GET says where the upload is: at least where it was acknowledged. From there it goes on to the end. */
async function resume(push: Push): Promise<void> {
  if (push.location !== undefined) {
    const { status, headers, text } = await client.ask('GET', push.location);
    if (status === 404 && push.state === 'asked') {
      // Killed after the upload became a blob and before the repository held it (push-killed-at-blob.test.ts): the push begins anew.
      push.location = undefined;
      push.acknowledged = 0;
      await pushOn(push);
      return assertBlob(push);
    }
    equal(status, 204, text);
    const end = Number(/^0-(\d+)$/.exec(headers.range ?? '')?.[1]);
    // `0-0` is written for no byte as well as for one.
    const size = end === 0 ? push.acknowledged : end + 1;
    ok(size >= push.acknowledged, `${String(size)} of ${String(push.acknowledged)} bytes are left`);
    ok(size <= push.bytes.length);
    push.acknowledged = size;
    resumed += 1;
  }
  if (push.acknowledged === push.bytes.length && push.location !== undefined) {
    await ask(201, 'PUT', withQuery(push.location, { digest: push.digest }));
    push.state = 'stored';
  } else await pushOn(push);
  await assertBlob(push);
}

async function assertAll(): Promise<void> {
  for (const push of pushes) await assertBlob(push);
  for (const image of images) await assertImage(image);
}

suite(`kill -9 in the middle of pushes (BREAKWATER_KILL_SEED=${String(seed)})`, () => {
  for (let kill = 1; kill <= kills; kill += 1) {
    test(`kill ${String(kill)} loses nothing acknowledged, shows nothing else, and uploads go on`, async () => {
      let killed = false;
      const working = Array.from({ length: clients }, () => keepPushing(() => killed));
      await Promise.race([delay(random.below(killWithinMs)), Promise.all(working)]);
      killed = true;
      await client.breakwater.kill9();
      await Promise.all(working);
      await client.breakwater.restart();
      await assertAll();
      for (const push of pushes) if (push.state !== 'stored') await resume(push);
    });
  }

  test('the kills came in the middle of pushes, and all is there at the end', async (t) => {
    await assertAll();
    t.diagnostic(
      `${String(pushes.length)} pushes, ${String(interrupted)} interrupted, ${String(resumed)} resumed`,
    );
    ok(pushes.every(({ state }) => state === 'stored'));
    ok(interrupted > 0 && resumed > 0);
  });
});
