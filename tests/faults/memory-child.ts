// Run by memory-bounds.test.ts with a small heap: many distinct lists and failures pass through one cache. Prints what is left at the end.
import { createCacheRig } from '../support/rigs/cache-rig.ts';
import { createScriptedUpstream, failure } from '../support/upstreams/scripted-upstream.ts';
import type { Digest } from '../../src/domain/names/digest.ts';
import type { Descriptor } from '../../src/domain/manifests/manifest.ts';
import { digestOf } from '../support/samples/digest.ts';

const subjects = 120;
const descriptorsEach = 2000;
const repositories = 120;
const tagsEach = 10_000;
const namesUnknown = 20_000;

const digestAt = (text: string): Digest => digestOf(Buffer.from(text));

/** Some 4 MiB of referrers, made anew each time as an answer is. */
function referrersOf(subject: string): Descriptor[] {
  return Array.from({ length: descriptorsEach }, (_, n) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestAt(`${subject} ${n}`),
    size: 1000,
    artifactType: 'application/vnd.example.signature',
    annotations: { 'org.example.note': `${n}`.padEnd(1000, subject) },
  }));
}

const upstream = createScriptedUpstream();
upstream.listReferrers = async (_target, subject) => referrersOf(subject);
upstream.listTags = async ({ repository }) => ({
  tags: Array.from({ length: tagsEach }, (_, n) => `${repository}-${n}`.padEnd(128, 'x')),
  next: undefined,
});
upstream.headManifest = async (target) => {
  throw failure('notFound', 404, target.url.host);
};
upstream.getManifest = async (target) => {
  throw failure('notFound', 404, target.url.host);
};

await using rig = await createCacheRig({ upstream });
let listed = 0;
const several = async (count: number, work: (n: number) => Promise<unknown>): Promise<void> => {
  for (let from = 0; from < count; from += 10)
    await Promise.all(Array.from({ length: Math.min(10, count - from) }, (_, n) => work(from + n)));
};
await several(subjects, async (n) => {
  const request = { ...rig.request('up/app'), subject: digestAt(`subject ${n}`) };
  const { descriptors } = await rig.cache.listReferrers(request, rig.signal);
  listed += descriptors.length;
});
await several(repositories, async (n) => {
  const request = { ...rig.request(`up/app${n}`), n: 100, last: '' };
  const { tags } = await rig.cache.listTags(request, rig.signal);
  listed += tags.length;
});
const long = 'n'.repeat(100);
await several(namesUnknown, (n) =>
  rig.manifest(`up/${long}/${long}${n}`, `t${n}`).catch(() => undefined),
);
process.stdout.write(`${JSON.stringify({ listed, rss: process.memoryUsage().rss })}\n`);
