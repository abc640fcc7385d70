import type { UnchangedReason } from '../../domain/image-rewrite.ts';
import type { ImagePlace } from '../places/image-place.ts';
import type { MoveKind } from './known-moves.ts';

/** A field of an object of a cluster. */
export interface ObjectPlace {
  readonly kind: string;
  /** Absent for kinds of the whole cluster. */
  readonly namespace?: string;
  readonly name: string;
  /** `spec.template.spec.containers[0].image` */
  readonly field: string;
  /** What has to be known to change it there. */
  readonly note?: string;
}

/** A place in a file, or in the list on stdin. Line and column count from 1. */
export interface TextPlace {
  /** `stdin` for a list that came there. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly field?: string;
  readonly note?: string;
}

export type UsePlace = ObjectPlace | TextPlace;

export type ObjectName = Pick<ObjectPlace, 'kind' | 'namespace' | 'name'>;

/** No two objects have the same. */
export function objectKey({ kind, namespace = '', name }: ObjectName): string {
  return `${kind}\n${namespace}\n${name}`;
}

/**
 * `image`: a field that is an image for sure; `artifact`: of a registry too, and no node runs it; `prefix`: the beginning of
 * several images; `review`: a person has to look; `node`: a node has it, and nothing that was read names it.
 */
export type Certainty = 'image' | 'artifact' | 'prefix' | 'review' | 'node';

/** Of a place as it was read. */
export function certaintyOf({
  certainty,
  form,
}: Pick<ImagePlace, 'certainty' | 'form'>): Certainty {
  return certainty === 'review' ? 'review' : (form ?? 'image');
}

/** One image found once, or several times in the same place. */
export interface ImageUse {
  /** As it is written there. */
  readonly image: string;
  readonly certainty: Certainty;
  /** How often: containers of pods, places in files, what a list says; 0 where it is written and nothing runs of it. */
  readonly count: number;
  /** Absent: one that was found before. */
  readonly place?: UsePlace;
  /** What is the same place beside others: the pods of one owner are one place. Absent: the place itself. */
  readonly samePlace?: string;
}

export type FlagName = MoveKind | 'unpinned' | 'no-rule' | 'too-long' | 'no-image-name' | 'review';

export interface Flag {
  readonly flag: FlagName;
  /** One sentence: what is wrong, and what to do. */
  readonly text: string;
  /** Where it is read. */
  readonly source?: string;
  /** The same image at its new place. */
  readonly now?: string;
}

/** What is to be said of an image by its name alone. */
export interface Verdict {
  readonly flags: readonly Flag[];
  /** What stands in its place where the cache is used; `null` where it stays, or where no cache is known. */
  readonly becomes: string | null;
  /** Why it stays; `null` where it does not, or where no cache is known. */
  readonly reason: UnchangedReason | null;
}

/** One image with all that was found of it. */
export interface DetectedImage extends Verdict {
  readonly image: string;
  readonly count: number;
  readonly certainty: Certainty;
  readonly places: readonly UsePlace[];
  /** Places beyond those that are listed. */
  readonly morePlaces: number;
}

/** A kind, or a file, that was not read, and why. */
export interface NotRead {
  readonly what: string;
  readonly why: string;
}

/** A registry that images come from, and what egress must allow for it. */
export interface DetectedHost {
  readonly host: string;
  /** Different images of it. */
  readonly images: number;
  /** Containers that have one of them. */
  readonly count: number;
  /** Hosts that whoever pulls there has to reach. */
  readonly egress: readonly string[];
  readonly note?: string;
}

/** A policy that lets pods reach some hosts, and what is to be said of it. */
export interface DetectedPolicy {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** `old-host`: a host whose successor it leaves out; `addresses`: only ranges of addresses, which say nothing of hosts. */
  readonly finding: 'old-host' | 'addresses';
  /** The hosts as they are written there, or the ranges. */
  readonly names: readonly string[];
  /** A sentence without a full stop. */
  readonly text: string;
}

/** How many pulls the pods of a cluster ask of Docker Hub, as far as pods that are there can tell. */
export interface HubEstimate {
  /** Containers of pods that began within the last 24 hours, by 24: each counted as one pull. */
  readonly perHour: number;
  /** The most within six hours of these 24. */
  readonly busiestSixHours: number;
  /** Different images on different nodes: what it takes to replace every node. */
  readonly toRenewNodes: number;
  /** Of one address without a login, in six hours. */
  readonly anonymousLimit: number;
  /** Of a free account, in six hours. */
  readonly accountLimit: number;
  /** How it is made, and what it leaves out. */
  readonly basis: string;
}

export interface Detection {
  /** Where it was looked: `the cluster of context prod (https://…)`, `2 folders`, `stdin`. */
  readonly from: string;
  readonly items: readonly DetectedImage[];
  /** The registries that the images come from. */
  readonly hosts: readonly DetectedHost[];
  /** Of a cluster: policies that say something else than they seem to. */
  readonly policies: readonly DetectedPolicy[];
  /** `null` where no cluster was read, or no pod uses Docker Hub. */
  readonly dockerHub: HubEstimate | null;
  readonly notRead: readonly NotRead[];
}
