import type { ReviewReason } from '../places/image-place.ts';

/** A piece of a text that holds one value, and how another value is written in its place. Two places that share one (an anchor and its aliases) have the same object. */
export interface Slot {
  /** In UTF-16 units from the begin of the text; `end` is behind it. */
  readonly start: number;
  readonly end: number;
  readonly value: string;
  /** The text for another value, in the quotes that are there; `undefined` where it can't be written so. */
  write(value: string): string | undefined;
}

/** One place of a text that names an image. */
export interface TextPlace {
  readonly image: string;
  readonly certainty: 'image' | 'review';
  readonly review?: ReviewReason;
  readonly form?: 'prefix' | 'artifact';
  readonly note?: string;
  /** As people write it; of a script or template what stands before the image. */
  readonly field: string;
  /** In UTF-16 units from the begin of the text. */
  readonly offset: number;
  /** Both from 1; columns count UTF-16 units, as editors do. */
  readonly line: number;
  readonly column: number;
  /** What holds the reference, whole or as a part of its value; absent where it is only told. */
  readonly whole?: Slot;
  /** What holds its parts; `registry` is absent where no such key is there. */
  readonly split?: { readonly registry?: Slot; readonly repository: Slot };
}

/** What stands in the way of reading a text, or a part of it. */
export interface TextProblem {
  readonly line: number;
  readonly column: number;
  /** A sentence without a full stop. */
  readonly message: string;
}

/** A text that was read for its images. */
export interface ReadText {
  readonly places: readonly TextPlace[];
  readonly problems: readonly TextProblem[];
  /**
   * Reads the text that an edit made, and compares: what is said must be the same but for these values. Answers what differs,
   * `undefined` where nothing does.
   */
  check(edited: string, changed: ReadonlyMap<Slot, string>): string | undefined;
}

/** A replacement of a part of a text. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The text with all edits made; they must not overlap. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const sorted = edits.toSorted((a, b) => a.start - b.start);
  let made = '';
  let at = 0;
  for (const { start, end, text: piece } of sorted) {
    if (start < at) throw new RangeError(`edits overlap at character ${start}`);
    made += text.slice(at, start) + piece;
    at = end;
  }
  return made + text.slice(at);
}

/** The slots that a place is edited by. */
export function slotsOf({ whole, split }: Pick<TextPlace, 'whole' | 'split'>): readonly Slot[] {
  return [whole, split?.registry, split?.repository].filter((slot) => slot !== undefined);
}

/** The edits that write each slot's new value; `undefined` where one can't be written. */
export function editsOf(changed: ReadonlyMap<Slot, string>): readonly TextEdit[] | undefined {
  const edits: TextEdit[] = [];
  for (const [slot, value] of changed) {
    const text = slot.write(value);
    if (text === undefined) return undefined;
    edits.push({ start: slot.start, end: slot.end, text });
  }
  return edits;
}
