import type { UnchangedReason } from '../../domain/image-rewrite.ts';
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

/**
 * `image`: a field that is an image for sure; `artifact`: of a registry too, and no node runs it; `prefix`: the beginning of
 * several images; `review`: a person has to look; `node`: a node has it, and nothing that was read names it.
 */
export type Certainty = 'image' | 'artifact' | 'prefix' | 'review' | 'node';

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

export interface Detection {
  /** Where it was looked: `the cluster of context prod (https://…)`, `2 folders`, `stdin`. */
  readonly from: string;
  readonly items: readonly DetectedImage[];
  readonly notRead: readonly NotRead[];
}
