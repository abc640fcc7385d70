import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { ExplainedContent } from '../../contract/explanation.ts';
import type { Platform } from '../../domain/manifests/manifest.ts';
import { livesElsewhere } from '../../domain/manifests/manifest.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import { holdsBlob, holdsManifest } from '../whose-bytes.ts';
import { identityOf } from '../pull-request.ts';

/** Manifests and blobs that one walk looks at. */
export const walkNodesMax = 1000;
const walkDepthMax = 8;
const examplesMax = 20;

export interface WalkInput {
  readonly key: RepositoryKey;
  /** The rule that leads to the repository; absent where none does any more. */
  readonly rule: PullRule | undefined;
  readonly digest: Digest;
  /** The rule stops the repository: of a pushed manifest only what was pushed is to be had. */
  readonly stopped?: boolean;
}

type State = ExplainedContent['state'];
type Example = ExplainedContent['examples'][number];

export interface WalkedStores {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
}

/** Follows a manifest's children and says what is here; bounded by `walkNodesMax`, beyond which it is `truncated`. */
export async function walkContent(
  input: WalkInput,
  from: WalkedStores,
  signal: AbortSignal,
): Promise<ExplainedContent> {
  const walk: Walk = {
    input,
    from,
    signal,
    held: { manifests: 0, blobs: 0 },
    missing: { manifests: 0, blobs: 0 },
    platforms: [],
    examples: [],
    seen: new Map(),
    truncated: false,
  };
  const root = await findInfo(walk, input.digest);
  const state = (await visit(walk, 'manifest', input.digest, 0)) ?? 'absent';
  const { held, missing, platforms, examples, truncated } = walk;
  const mediaType = root?.mediaType ?? null;
  return { state, digest: input.digest, mediaType, held, missing, platforms, examples, truncated };
}

/** A walk under way: whose content it is, and what was found so far. */
interface Walk {
  readonly input: WalkInput;
  readonly from: WalkedStores;
  readonly signal: AbortSignal;
  readonly held: { manifests: number; blobs: number };
  readonly missing: { manifests: number; blobs: number };
  readonly platforms: { platform: string; state: State }[];
  readonly examples: Example[];
  readonly seen: Map<Digest, State>;
  truncated: boolean;
}

function note(walk: Walk, state: State, kind: 'manifests' | 'blobs', example: Example): State {
  if (state === 'absent') {
    walk.missing[kind] += 1;
    if (walk.examples.length < examplesMax) walk.examples.push(example);
  } else walk.held[kind] += 1;
  return state;
}

async function visit(
  walk: Walk,
  role: Example['role'],
  digest: Digest,
  depth: number,
): Promise<State | undefined> {
  const { seen, input, from } = walk;
  const known = seen.get(digest);
  if (known !== undefined) return known;
  walk.signal.throwIfAborted();
  if (seen.size >= walkNodesMax || depth > walkDepthMax) {
    walk.truncated = true;
    return undefined;
  }
  seen.set(digest, 'absent');
  const state =
    role === 'manifest'
      ? await visitManifest(walk, digest, depth)
      : note(walk, (await isHere(input, digest, from)) ? 'complete' : 'absent', 'blobs', {
          role,
          digest,
        });
  seen.set(digest, state);
  return state;
}

async function visitManifest(walk: Walk, digest: Digest, depth: number): Promise<State> {
  const { input, from } = walk;
  const isKnown = (await findInfo(walk, digest)) !== undefined;
  note(walk, isKnown ? 'complete' : 'absent', 'manifests', { role: 'manifest', digest });
  if (!isKnown) return 'absent';
  let state: State = 'complete';
  for (const child of await from.metadata.manifests.findChildren(input.key, digest)) {
    if (livesElsewhere(child)) continue;
    const childState = await visit(walk, child.role, child.digest, depth + 1);
    if (childState !== 'complete') state = 'partial';
    if (depth === 0 && child.role === 'manifest' && isNamed(child.platform))
      walk.platforms.push({
        platform: formatPlatform(child.platform),
        state: childState ?? 'absent',
      });
  }
  return state;
}

async function findInfo({ input, from }: Walk, digest: Digest) {
  const info = await from.metadata.manifests.findManifestInfo(input.key, digest);
  return info !== undefined && holdsManifest(info, input.rule) ? info : undefined;
}

/** What stands where nothing is known to walk. */
export const nothingHere: ExplainedContent = {
  state: 'absent',
  digest: null,
  mediaType: null,
  held: { manifests: 0, blobs: 0 },
  missing: { manifests: 0, blobs: 0 },
  platforms: [],
  examples: [],
  truncated: false,
};

/** Bytes there, and the right to give them out under this name (ARCHITECTURE.md, "Whose bytes"). */
async function isHere(input: WalkInput, digest: Digest, from: WalkedStores): Promise<boolean> {
  if ((await from.blobs.size(digest)) === undefined) return false;
  const claim = await from.metadata.blobs.findBlobClaim(input.key, identityOf(input), digest);
  return holdsBlob(claim, input.stopped === true);
}

/** False for attestations, which carry `unknown/unknown`. */
function isNamed(platform: Platform | undefined): platform is Platform {
  return platform !== undefined && platform.os !== 'unknown';
}

function formatPlatform(platform: Platform): string {
  const base = `${platform.os}/${platform.architecture}`;
  return platform.variant === undefined ? base : `${base}/${platform.variant}`;
}
