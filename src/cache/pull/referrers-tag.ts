import { LRUCache } from 'lru-cache';
import type { Digest } from '../../domain/names/digest.ts';
import { algorithmOf, hexOf } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Descriptor, Manifest } from '../../domain/manifests/manifest.ts';
import { parseManifest } from '../../domain/manifests/manifest-parser.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { parseTag } from '../../domain/names/tag.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { FetchedManifest, Upstream, UpstreamTarget } from '../../ports/upstream.ts';

/** Bytes of indexes whose referrers are kept. */
const keptBytesMax = 8 * 1024 * 1024;
/** Descriptors of one index that are looked into; more are taken at their word. */
const lookedIntoMax = 100;
const atOnceMax = 8;

interface ReferrersTagParts {
  readonly upstream: Pick<Upstream, 'getManifest'>;
  /** Ends with the server. */
  readonly signal: AbortSignal;
}

interface ReadIndex {
  readonly referrers: readonly Descriptor[];
  /** Of the index. */
  readonly bytes: number;
}

/**
 * Reads the referrers that a registry without the API keeps under the subject's tag, `sha256-<hex>` (distribution-spec,
 * "Referrers Tag Schema"). Such a tag may as well have been given to the image itself: what it names are referrers only where
 * it is an index, not the subject itself, whose entries say an artifactType or name the subject in their own manifests.
 * Platforms of an image are none.
 */
export class ReferrersTagReader {
  readonly #parts: ReferrersTagParts;
  readonly #known = new LRUCache<string, ReadIndex>({
    maxSize: keptBytesMax,
    sizeCalculation: ({ bytes }) => bytes + 512,
  });

  constructor(parts: ReferrersTagParts) {
    this.#parts = parts;
  }

  /** None where there is no such tag. `gather` as in `ListTurns`. */
  async read(
    target: UpstreamTarget,
    subject: Digest,
    gather: (bytes: number) => void,
  ): Promise<readonly Descriptor[]> {
    const tag = parseTag(`${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`);
    const index = tag && (await get(this.#parts, target, { kind: 'tag', tag }));
    if (index === undefined || index.digest === subject) return [];
    const key = `${target.url.origin}/${target.repository} ${index.digest}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known.referrers;
    gather(index.bytes.length);
    const referrers = await referrersIn(this.#parts, index, target, subject);
    this.#known.set(key, { referrers, bytes: index.bytes.length });
    return referrers;
  }
}

async function referrersIn(
  parts: ReferrersTagParts,
  index: FetchedManifest,
  target: UpstreamTarget,
  subject: Digest,
): Promise<readonly Descriptor[]> {
  const { kind, manifests } = parseManifest(index.bytes, index.mediaType);
  if (kind !== 'index') return [];
  const typed = manifests.filter((one) => one.artifactType !== undefined);
  const others = manifests.filter(
    (one) => one.artifactType === undefined && one.platform === undefined,
  );
  const found = [...typed, ...others.slice(lookedIntoMax)];
  for (let from = 0; from < Math.min(others.length, lookedIntoMax); from += atOnceMax) {
    const some = others.slice(from, Math.min(from + atOnceMax, lookedIntoMax));
    const looked = await Promise.all(some.map((one) => lookInto(parts, target, subject, one)));
    found.push(...looked.flat());
  }
  return found;
}

/** The descriptor as its manifest has it, where that names the subject. */
async function lookInto(
  parts: ReferrersTagParts,
  target: UpstreamTarget,
  subject: Digest,
  one: Descriptor,
): Promise<readonly Descriptor[]> {
  const fetched = await get(parts, target, { kind: 'digest', digest: one.digest });
  const manifest = fetched && readable(fetched);
  if (manifest?.subject?.digest !== subject) return [];
  const { artifactType, annotations } = manifest;
  return [
    {
      ...(annotations === undefined ? {} : { annotations }),
      ...one,
      ...(artifactType === undefined ? {} : { artifactType }),
    },
  ];
}

async function get(
  { upstream, signal }: ReferrersTagParts,
  target: UpstreamTarget,
  reference: Reference,
): Promise<FetchedManifest | undefined> {
  try {
    return await upstream.getManifest(target, reference, undefined, signal);
  } catch (error) {
    if (error instanceof UpstreamFailure && error.kind === 'notFound') return undefined;
    throw error;
  }
}

/** An entry that is no manifest is no referrer, and hides none of the others. */
function readable({ bytes, mediaType }: FetchedManifest): Manifest | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}
