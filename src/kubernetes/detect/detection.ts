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

/** `image`: a field that is an image for sure; `review`: a person has to look; `node`: a node has it, and no object that was read names it. */
export type Certainty = 'image' | 'review' | 'node';

/** One image found once, or several times in the same place. */
export interface ImageUse {
  /** As it is written there. */
  readonly image: string;
  readonly certainty: Certainty;
  /** How often: containers of pods, places in files, what a list says; 0 where it is written and nothing runs of it. */
  readonly count: number;
  readonly place: UsePlace;
}

export type FlagName = MoveKind | 'unpinned' | 'no-rule' | 'no-image-name' | 'review';

export interface Flag {
  readonly flag: FlagName;
  /** One sentence: what is wrong, and what to do. */
  readonly text: string;
  /** Where it is read. */
  readonly source?: string;
  /** The same image at its new place. */
  readonly now?: string;
}

/** One image with all that was found of it. */
export interface DetectedImage {
  readonly image: string;
  readonly count: number;
  readonly certainty: Certainty;
  readonly flags: readonly Flag[];
  readonly places: readonly UsePlace[];
  /** Places beyond those that are listed. */
  readonly morePlaces: number;
}

export interface Detection {
  readonly items: readonly DetectedImage[];
}
