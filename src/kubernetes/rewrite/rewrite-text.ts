import { nameOfImage, splitName } from '../places/split-image.ts';
import type { ReadText, Slot, TextPlace } from '../text/read-text.ts';
import { applyEdits, editsOf, slotsOf } from '../text/read-text.ts';
import type { Chart } from './chart.ts';
import type { Renamed, Renaming } from './renaming.ts';
import { renameImage, renamePrefix } from './renaming.ts';

/** A place whose image was replaced. */
export interface ChangedPlace {
  readonly place: TextPlace;
  readonly becomes: string;
  readonly note?: string;
}

/** A place that stays as it is although its image would be another. */
export interface LeftPlace {
  readonly place: TextPlace;
  /** What it would be. */
  readonly becomes: string;
  /** Why a person has to change it: a sentence without a full stop. */
  readonly reason: string;
}

export interface RewrittenText {
  /** The same text where nothing changed. */
  readonly text: string;
  readonly changed: readonly ChangedPlace[];
  readonly left: readonly LeftPlace[];
  /** Places whose image stays, with the reason. */
  readonly kept: readonly { readonly place: TextPlace; readonly reason: string }[];
}

/** An edit would have changed more than references; the text is left alone. */
export class EditRefused extends Error {
  override readonly name = 'EditRefused';
}

export interface RewriteOptions {
  readonly rename: Renaming;
  /** Of a kustomization: whether the resources that it looks through have, or get, the new name, so that the name looked for has to follow. */
  readonly isRenamed?: ((name: string, becomes: string) => boolean) | undefined;
  /** The chart whose values the text has. */
  readonly chart?: Chart | undefined;
}

/**
 * Replaces the references of a text, and nothing else. What was made is read again and compared; throws `EditRefused` where
 * anything else would be another.
 */
export function rewriteText(text: string, read: ReadText, options: RewriteOptions): RewrittenText {
  const plans = read.places.map((place) => planOf(place, options));
  settleShared(plans);
  const values = new Map<Slot, string>();
  for (const plan of plans)
    if (plan.kind === 'edit')
      for (const [slot, value] of plan.values) if (value !== slot.value) values.set(slot, value);
  const edits = editsOf(values);
  if (edits === undefined) throw new EditRefused('a new reference can’t be written in its place');
  const changed = plans.flatMap((plan) => (plan.kind === 'edit' ? [plan.change] : []));
  const left = plans.flatMap((plan) => (plan.kind === 'left' ? [plan.left] : []));
  const kept = plans.flatMap((plan) => (plan.kind === 'kept' ? [plan] : []));
  if (edits.length === 0) return { text, changed: [], left, kept };
  const edited = applyEdits(text, edits);
  const difference = read.check(edited, values);
  if (difference !== undefined) throw new EditRefused(difference);
  return { text: edited, changed, left, kept };
}

type Plan =
  | {
      readonly kind: 'edit';
      readonly change: ChangedPlace;
      readonly values: ReadonlyMap<Slot, string>;
    }
  | { readonly kind: 'left'; readonly left: LeftPlace }
  | { readonly kind: 'kept'; readonly place: TextPlace; readonly reason: string };

function planOf(place: TextPlace, { rename, chart, isRenamed }: RewriteOptions): Plan {
  const renamed = renamedPlace(place, rename);
  if (renamed.kind === 'unchanged') return { kind: 'kept', place, reason: renamed.reason };
  const becomes = renamed.image;
  const leave = (reason: string): Plan => ({ kind: 'left', left: { place, becomes, reason } });
  if (place.form === 'artifact')
    return leave(
      'an artifact that no node pulls: change it where its reader can reach the new place',
    );
  const verdict = place.review === 'registry unknown' ? chart?.verdict(place, rename) : undefined;
  if (verdict !== undefined && verdict !== 'whole') return leave(verdict.reason);
  const follows =
    place.review === 'matched name' &&
    isRenamed?.(place.split?.repository.value ?? '', nameOfImage(becomes)) === true;
  // With a new name beside it only where its images come from matters, and that is another place.
  if (place.review === 'matched name' && place.field.endsWith('.name') && !follows)
    return { kind: 'kept', place, reason: 'a name that is looked for' };
  if (place.certainty === 'review' && verdict === undefined && !follows)
    return leave(reviewReasons[place.review ?? 'text']);
  const values = valuesFor(place, becomes);
  if (values === undefined) return leave('it is not written as one plain text');
  for (const [slot, value] of values)
    if (slot.write(value) === undefined) return leave('it can’t be written within its quotes');
  const note = [renamed.note, place.note].filter((each) => each !== undefined).join('; ');
  const change: ChangedPlace = { place, becomes, ...(note !== '' && { note }) };
  return { kind: 'edit', change, values };
}

function renamedPlace({ form, image }: TextPlace, rename: Renaming): Renamed {
  if (form === 'prefix') return renamePrefix(rename, image);
  return renameImage(rename, form === 'artifact' ? image.replace(/^oci:\/\//, '') : image);
}

const reviewReasons: Readonly<Record<NonNullable<TextPlace['review']>, string>> = {
  environment: 'in an environment variable: see what reads it',
  argument: 'in an argument: see what the program does with it',
  text: 'in a text: see what reads it',
  'registry unknown':
    'no registry stands beside it, and its chart decides what is put before it: name the chart with --chart',
  'name alone': 'it may be no image, or be completed elsewhere',
  'matched name':
    'a name that is looked for in other files: newName beside it sets what is put there',
  template: 'in a template: edit it by hand',
  script: 'in a script or a plan: edit it by hand',
};

function valuesFor(place: TextPlace, becomes: string): ReadonlyMap<Slot, string> | undefined {
  const { whole, split, image } = place;
  if (whole !== undefined) {
    const at = whole.value.lastIndexOf(image);
    if (at < 0) return undefined;
    const value = whole.value.slice(0, at) + becomes + whole.value.slice(at + image.length);
    return new Map([[whole, value]]);
  }
  if (split === undefined) return undefined;
  const { registry, repository } = split;
  const made = splitName(
    { registry: registry?.value, repository: repository.value },
    nameOfImage(becomes),
  );
  const values = new Map([[repository, made.repository]]);
  if (registry !== undefined) values.set(registry, made.registry ?? '');
  return values;
}

/** Where one text is a part of several images, by an anchor or a registry for all, they must agree on what it becomes; else none of them is edited. */
function settleShared(plans: Plan[]): void {
  for (;;) {
    const claims = new Map<Slot, Set<string>>();
    for (const plan of plans)
      for (const [slot, value] of claimsOf(plan)) {
        const values = claims.get(slot) ?? new Set();
        claims.set(slot, values.add(value));
      }
    const disputed = (plan: Plan): boolean =>
      plan.kind === 'edit' &&
      [...plan.values.keys()].some((slot) => (claims.get(slot)?.size ?? 0) > 1);
    if (!plans.some(disputed)) return;
    for (const [index, plan] of plans.entries())
      if (plan.kind === 'edit' && disputed(plan)) {
        const { place, becomes } = plan.change;
        const reason =
          'a part of it is shared with another image, by an anchor, that needs another value';
        plans[index] = { kind: 'left', left: { place, becomes, reason } };
      }
  }
}

function claimsOf(plan: Plan): Iterable<readonly [Slot, string]> {
  if (plan.kind === 'edit') return plan.values;
  const place = plan.kind === 'left' ? plan.left.place : plan.place;
  // What a variable or a text says may follow what its anchor says.
  if (place.certainty === 'review' && place.split === undefined) return [];
  return slotsOf(place).map((slot) => [slot, slot.value] as const);
}
