import type { Digest } from '../../domain/names/digest.ts';
import type { ExplainedContent } from '../../contract/explanation.ts';
import { livesElsewhere, type Platform } from '../../domain/manifests/manifest.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { Metadata, RepositoryKey } from '../../metadata/contract/metadata.ts';
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

/** Follows a manifest's children and says what is held; bounded by `walkNodesMax`, beyond which it is `truncated`. */
export async function walkContent(
  input: WalkInput,
  from: { readonly metadata: Metadata; readonly blobs: BlobStore },
  signal: AbortSignal,
): Promise<ExplainedContent> {
  const held = { manifests: 0, blobs: 0 };
  const missing = { manifests: 0, blobs: 0 };
  const platforms: { platform: string; state: State }[] = [];
  const examples: Example[] = [];
  const seen = new Map<Digest, State>();
  let truncated = false;

  const note = (state: State, kind: 'manifests' | 'blobs', example: Example): State => {
    if (state === 'absent') {
      missing[kind] += 1;
      if (examples.length < examplesMax) examples.push(example);
    } else held[kind] += 1;
    return state;
  };

  const visit = async (
    role: Example['role'],
    digest: Digest,
    depth: number,
  ): Promise<State | undefined> => {
    const known = seen.get(digest);
    if (known !== undefined) return known;
    signal.throwIfAborted();
    if (seen.size >= walkNodesMax || depth > walkDepthMax) {
      truncated = true;
      return undefined;
    }
    seen.set(digest, 'absent');
    const state =
      role === 'manifest'
        ? await visitManifest(digest, depth)
        : note((await isHere(input, digest, from)) ? 'complete' : 'absent', 'blobs', {
            role,
            digest,
          });
    seen.set(digest, state);
    return state;
  };

  const findInfo = async (digest: Digest) => {
    const info = await from.metadata.findManifestInfo(input.key, digest);
    return info !== undefined && holdsManifest(info, input.rule) ? info : undefined;
  };

  const visitManifest = async (digest: Digest, depth: number): Promise<State> => {
    const info = await findInfo(digest);
    note(info === undefined ? 'absent' : 'complete', 'manifests', { role: 'manifest', digest });
    if (info === undefined) return 'absent';
    let state: State = 'complete';
    for (const child of await from.metadata.findChildren(input.key, digest)) {
      if (livesElsewhere(child)) continue;
      const childState = await visit(child.role, child.digest, depth + 1);
      if (childState !== 'complete') state = 'partial';
      if (depth === 0 && child.role === 'manifest' && isNamed(child.platform))
        platforms.push({
          platform: formatPlatform(child.platform),
          state: childState ?? 'absent',
        });
    }
    return state;
  };

  const root = await findInfo(input.digest);
  const state = (await visit('manifest', input.digest, 0)) ?? 'absent';
  return {
    state,
    digest: input.digest,
    mediaType: root?.mediaType ?? null,
    held,
    missing,
    platforms,
    examples,
    truncated,
  };
}

/** What stands where nothing is known to walk. */
export const nothingHeld: ExplainedContent = {
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
async function isHere(
  input: WalkInput,
  digest: Digest,
  from: { readonly metadata: Metadata; readonly blobs: BlobStore },
): Promise<boolean> {
  if ((await from.blobs.size(digest)) === undefined) return false;
  const claim = await from.metadata.findBlobClaim(input.key, identityOf(input), digest);
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
