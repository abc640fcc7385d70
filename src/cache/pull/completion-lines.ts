import type { Digest } from '../../domain/names/digest.ts';
import type { Manifest } from '../../domain/manifests/manifest.ts';
import { unreadMax } from '../download/downloads.ts';
import type { RuledRequest } from '../pull-request.ts';

/** A manifest that is to be made whole, by its digest: its bytes are read when its turn comes. */
export interface WaitingManifest {
  readonly request: RuledRequest;
  readonly digest: Digest;
  /** A child of an index, which may still have to be fetched. */
  readonly child: boolean;
}

/** A manifest whose blobs are being fetched. */
export interface OpenImage {
  readonly request: RuledRequest;
  readonly digest: Digest;
  readonly kind: Manifest['kind'];
  /** Of the monotonic clock. */
  readonly startedAt: number;
  /** Those that no fill has begun with, the next one last. */
  readonly left: Digest[];
  readonly sizes: ReadonlyMap<Digest, number>;
  running: number;
  /** Of those that were fetched. */
  bytes: number;
  failed: boolean;
  /** Aborted when nothing more of it is to be fetched. */
  readonly ended: AbortController;
}

/** What waits and runs for one upstream. */
export interface CompletionLine {
  readonly upstream: string;
  /** Jobs that may run at once. */
  readonly places: number;
  readonly manifests: WaitingManifest[];
  /** With blobs left, in the order of their coming. */
  readonly images: OpenImage[];
  /** With blobs left or under way. */
  readonly unfinished: Set<OpenImage>;
  running: number;
  opening: number;
}

/** Fills of one upstream at once; beside them there is room for what clients leave behind. */
const fillsMax = 12;
const openingMax = 4;
/** Of one upstream; a later pull of what finds no room asks again. */
const waitingMax = 1000;

export function createLine({ target }: RuledRequest): CompletionLine {
  return {
    upstream: upstreamOf(target.rule),
    places: Math.max(1, Math.min(fillsMax, unreadMax(target.rule))),
    manifests: [],
    images: [],
    unfinished: new Set(),
    running: 0,
    opening: 0,
  };
}

export function upstreamOf(rule: RuledRequest['target']['rule']): string {
  return rule.urls[0].host;
}

/** False where the line is full. */
export function addManifest(line: CompletionLine, waiting: WaitingManifest): boolean {
  if (line.manifests.length >= waitingMax) return false;
  line.manifests.push(waiting);
  return true;
}

export type CompletionStep =
  | { readonly kind: 'open'; readonly manifest: WaitingManifest }
  | { readonly kind: 'fill'; readonly image: OpenImage; readonly digest: Digest };

/**
 * Takes the next step out of the line: the blobs of open images in the order of their manifests, then the next manifest, so
 * that few are open at a time. `undefined` where nothing is left, or no place.
 */
export function nextStep(line: CompletionLine): CompletionStep | undefined {
  if (line.running >= line.places) return undefined;
  for (let image = line.images[0]; image !== undefined; image = line.images[0]) {
    const digest = image.left.pop();
    if (digest !== undefined) return { kind: 'fill', image, digest };
    line.images.shift();
  }
  if (line.opening >= openingMax) return undefined;
  const manifest = line.manifests.shift();
  return manifest && { kind: 'open', manifest };
}
