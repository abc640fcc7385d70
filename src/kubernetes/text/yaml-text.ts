import { isObject } from '../../domain/json.ts';
import { textOf } from '../places/field-pattern.ts';
import type { FieldPath, ImagePlace } from '../places/image-place.ts';
import { fieldText } from '../places/image-place.ts';
import { imagePlaces, valuesTexts } from '../places/image-places.ts';
import type { DocumentForm } from '../places/pipeline-places.ts';
import { documentPlaces, formOf } from '../places/pipeline-places.ts';
import { kustomizeImagePlaces } from '../places/kustomize-places.ts';
import { valuesPlaces } from '../places/values-places.ts';
import { literalOffsets } from './literal-offsets.ts';
import { lineIndex } from './line-index.ts';
import type { ReadText, Slot, TextPlace, TextProblem } from './read-text.ts';
import { applyEdits, editsOf } from './read-text.ts';
import type { ScalarNode } from './scalar-slot.ts';
import { slotOf } from './scalar-slot.ts';
import type { YamlDocument } from './yaml-documents.ts';
import { readDocuments } from './yaml-documents.ts';
import { YamlProblem } from './yaml-tree.ts';

/** What a file's name says of its documents; `undefined` where their content has to. */
export type YamlForm = DocumentForm | 'values' | 'kustomization' | undefined;

/** Reads the documents of a YAML or JSON text. Throws `YamlProblem` where it can't be parsed. */
export function readYaml(text: string, form: YamlForm): ReadText {
  const reading = readDocuments(text);
  const trees = reading.documents;
  const slots = createSlots(text);
  const at = lineIndex(text);
  const embedded = trees.flatMap((tree) => embeddedIn(tree, text, at));
  const places = trees.flatMap((tree) =>
    placesOf(tree.value, form).map((place) => textPlace(place, tree, slots, at)),
  );
  for (const each of embedded) places.push(...each.places);
  if (embedded.length > 0) places.sort((a, b) => a.offset - b.offset);
  return {
    places,
    problems: embedded.flatMap(({ problems }) => problems),
    check(edited, changed) {
      const values = new Map<ScalarNode, string>();
      for (const [slot, value] of changed) {
        const scalar = slots.scalarOf(slot);
        if (scalar !== undefined) values.set(scalar, value);
      }
      for (const each of embedded) {
        const made = each.edited(changed);
        if (typeof made === 'string') values.set(each.scalar, made);
        else if (made !== undefined) return made.difference;
      }
      return reading.difference(edited, editsOf(changed) ?? [], values);
    },
  };
}

/** One slot a scalar, so that an anchor and its aliases share it. */
interface Slots {
  of(scalar: ScalarNode): Slot | undefined;
  scalarOf(slot: Slot): ScalarNode | undefined;
}

function createSlots(text: string): Slots {
  const slots = new Map<ScalarNode, Slot | undefined>();
  const scalars = new Map<Slot, ScalarNode>();
  return {
    of(scalar) {
      if (slots.has(scalar)) return slots.get(scalar);
      const slot = slotOf(text, scalar);
      slots.set(scalar, slot);
      if (slot !== undefined) scalars.set(slot, scalar);
      return slot;
    },
    scalarOf: (slot) => scalars.get(slot),
  };
}

function placesOf(document: unknown, form: YamlForm): readonly ImagePlace[] {
  if (form === 'kustomization' && isObject(document))
    return kustomizeImagePlaces(document['images'], ['images']);
  const found = formOf(document) ?? form;
  if (found !== undefined && found !== 'values' && found !== 'kustomization')
    return documentPlaces(document, found);
  const hasKind = isObject(document) && textOf(document['kind']) !== undefined;
  return hasKind && form !== 'values' ? imagePlaces(document) : valuesPlaces(document);
}

function textPlace(
  { path, parts, image, ...rest }: ImagePlace,
  tree: YamlDocument,
  slots: Slots,
  at: ReturnType<typeof lineIndex>,
): TextPlace {
  const scalarAt = (part: FieldPath): ScalarNode | undefined => tree.scalarAt(part);
  const main = scalarAt(parts?.repository ?? path);
  const slot = main && slots.of(main);
  const offset = slot?.start ?? main?.range?.[0] ?? 0;
  const place = { ...rest, image, field: fieldText(path), offset, ...at(offset) };
  if (slot === undefined) return place;
  if (parts === undefined) return { ...place, whole: slot };
  if (parts.registry === undefined) return { ...place, split: { repository: slot } };
  const registry = scalarAt(parts.registry);
  const registrySlot = registry && slots.of(registry);
  if (registrySlot === undefined) return place;
  return { ...place, split: { registry: registrySlot, repository: slot } };
}

/** YAML inside a YAML text: values in a text of an object. */
interface Embedded {
  readonly scalar: ScalarNode;
  /** At their places in the text around it. */
  readonly places: readonly TextPlace[];
  readonly problems: readonly TextProblem[];
  /** The inner text with its part of the changes made; `undefined` where none is its. */
  edited(changed: ReadonlyMap<Slot, string>): string | { readonly difference: string } | undefined;
}

function embeddedIn(
  tree: YamlDocument,
  text: string,
  at: ReturnType<typeof lineIndex>,
): readonly Embedded[] {
  return valuesTexts(tree.value).flatMap((path) => {
    const scalar = tree.scalarAt(path);
    return scalar === undefined ? [] : [embed(scalar, text, fieldText(path), at)];
  });
}

function embed(
  scalar: ScalarNode,
  text: string,
  field: string,
  at: ReturnType<typeof lineIndex>,
): Embedded {
  const start = scalar.range?.[0] ?? 0;
  const nothing = { scalar, edited: () => undefined };
  let read: ReadText;
  try {
    read = readYaml(scalar.value, 'values');
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    const message = `the values in ${field} can't be read: ${error.message}`;
    return { ...nothing, places: [], problems: [{ ...at(start), message }] };
  }
  const outer = literalOffsets(text, scalar);
  if (outer === undefined) {
    const places = read.places.map(({ whole: _whole, split: _split, ...place }) => ({
      ...place,
      field: `${field}: ${place.field}`,
      offset: start,
      ...at(start),
    }));
    return { ...nothing, places, problems: [] };
  }
  const pairs = new Map<Slot, Slot>();
  const toOuter = (inner: Slot): Slot => {
    const known = pairs.get(inner);
    if (known !== undefined) return known;
    const from = outer(inner.start);
    const slot = { ...inner, start: from, end: from + inner.end - inner.start };
    pairs.set(inner, slot);
    return slot;
  };
  const places = read.places.map((place): TextPlace => {
    const { whole, split, ...rest } = place;
    const offset = outer(place.offset);
    return {
      ...rest,
      field: `${field}: ${place.field}`,
      offset,
      ...at(offset),
      ...(whole && { whole: toOuter(whole) }),
      ...(split && {
        split: {
          ...(split.registry && { registry: toOuter(split.registry) }),
          repository: toOuter(split.repository),
        },
      }),
    };
  });
  return {
    scalar,
    places,
    problems: [],
    edited(changed) {
      const inner = new Map<Slot, string>();
      for (const [own, slot] of pairs) {
        const value = changed.get(slot);
        if (value !== undefined) inner.set(own, value);
      }
      const edits = inner.size === 0 ? undefined : editsOf(inner);
      if (edits === undefined) return undefined;
      const made = applyEdits(scalar.value, edits);
      const difference = read.check(made, inner);
      return difference === undefined ? made : { difference };
    },
  };
}
