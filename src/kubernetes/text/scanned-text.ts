import type { ReviewReason } from '../places/image-place.ts';
import { imagesInText, isNamedImage, isWholeImage } from '../places/text-images.ts';
import { lineIndex } from './line-index.ts';
import type { ReadText, Slot, TextPlace } from './read-text.ts';
import { slotsOf } from './read-text.ts';

/** A place found by reading line by line. */
export type ScannedPlace = Omit<TextPlace, 'line' | 'column'>;

/** A text whose places a scan finds: after an edit the same scan has to find the same places again. */
export function scannedText(
  text: string,
  scan: (text: string) => readonly ScannedPlace[],
): ReadText {
  const at = lineIndex(text);
  const places = scan(text).map((place) => ({ ...place, ...at(place.offset) }));
  return {
    places,
    problems: [],
    check(edited, changed) {
      const again = scan(edited);
      if (again.length !== places.length)
        return `it had ${places.length} places of images and would have ${again.length}`;
      const different = places.find((place, index) => !sameBut(place, again[index], changed));
      return different === undefined
        ? undefined
        : `the place in line ${different.line} would be another`;
    },
  };
}

function sameBut(
  place: ScannedPlace,
  again: ScannedPlace | undefined,
  changed: ReadonlyMap<Slot, string>,
): boolean {
  if (again?.field !== place.field || again.certainty !== place.certainty) return false;
  const [before, after] = [slotsOf(place), slotsOf(again)];
  return (
    before.length === after.length &&
    before.every((slot, index) => after[index]?.value === (changed.get(slot) ?? slot.value))
  );
}

/** A piece of a text that means itself: what may stand there has no quotes, blanks or line ends. */
export function literalSlot(value: string, start: number): Slot {
  return {
    start,
    end: start + value.length,
    value,
    write: (text) => (/^[\x21-\x7e]+$/.test(text) && !/["'`\\]/.test(text) ? text : undefined),
  };
}

/** A template of YAML: what it will be nobody knows before it is rendered. Every image that it names is told and left. */
export function readTemplate(text: string): ReadText {
  return scannedText(text, (all) => [...templatePlaces(all)]);
}

const imageLine =
  /^([ \t]*(?:- +)?["']?([\w.-]*[iI]mage[\w.-]*|newName|repository)["']?[ \t]*:[ \t]+)(["']?)([^\s"'#][^"'#\r\n]*?)\3[ \t]*(?:#.*)?\r?$/;

function* templatePlaces(text: string): Generator<ScannedPlace> {
  for (const { line, offset } of linesOf(text)) {
    const named = imageLine.exec(line);
    const [, before = '', key = '', quote = '', value = ''] = named ?? [];
    const image = withoutTemplate(value);
    if (named !== null && image !== undefined) {
      const at = offset + before.length + quote.length;
      yield { image: value, certainty: 'review', review: 'template', field: key, offset: at };
    } else yield* imagesOfLine(line, offset, 'template');
  }
}

/** The literal name of an image that a template completes; `undefined` where the name itself is put in, or it is none. */
function withoutTemplate(value: string): string | undefined {
  const variable = value.search(/\{\{|\{%/);
  const literal = variable < 0 ? value : value.slice(0, variable).replace(/[:@]$/, '');
  if (variable >= 0 && !/[:@]$/.test(value.slice(0, variable))) return undefined;
  return isWholeImage(variable < 0 ? literal : `${literal}:x`) ? literal : undefined;
}

/** A shell script, a Makefile: every image is told and left. */
export function readScript(text: string): ReadText {
  return scannedText(text, (all) => [...scriptPlaces(all)]);
}

/** Commands that take images as their words. */
const imageCommands =
  /\b(?:docker|podman|nerdctl|crane|skopeo|ctr|crictl|regctl|oras|buildah|imgpkg|kind|minikube|k3d)\b|\bkubectl\b.*\b(?:image|--image)\b/;

function* scriptPlaces(text: string): Generator<ScannedPlace> {
  for (const { line, offset } of linesOf(text)) {
    if (/^\s*#(?!!)/.test(line)) continue;
    const found = new Map<number, ScannedPlace>();
    for (const place of imagesOfLine(line, offset, 'script')) found.set(place.offset, place);
    for (const place of wordsOfLine(line, offset))
      if (!found.has(place.offset)) found.set(place.offset, place);
    yield* [...found.values()].toSorted((a, b) => a.offset - b.offset);
  }
}

/** Of an option or variable before its value. */
const nameCharactersMax = 100;

/** Words of commands about images, and values of options and variables that are named so. */
function* wordsOfLine(line: string, offset: number): Generator<ScannedPlace> {
  const isCommand = imageCommands.test(line);
  for (const { 0: word, index } of line.matchAll(/[^\s"'`=;|&()<>]+/g)) {
    const scheme = /^(?:docker|oci):\/\//.exec(word)?.[0] ?? '';
    const image = word.slice(scheme.length);
    const name = /([\w.-]+)=["']?$/.exec(
      line.slice(Math.max(0, index - nameCharactersMax), index),
    )?.[1];
    const isNamed = name !== undefined && isNamedImage(name);
    if (!isNamed && !isCommand && scheme === '') continue;
    if (!isWholeImage(image) || /^-|^\d+:\d+$|^[\w-]+=/.test(image)) continue;
    yield {
      image,
      certainty: 'review',
      review: 'script',
      field: name ?? 'word',
      offset: offset + index + scheme.length,
    };
  }
}

function* imagesOfLine(
  line: string,
  offset: number,
  review: ReviewReason,
): Generator<ScannedPlace> {
  for (const { image, offset: within } of imagesInText(line))
    yield { image, certainty: 'review', review, field: 'text', offset: offset + within };
}

/** Each line with where it begins, without its end. */
export function* linesOf(
  text: string,
): Generator<{ readonly line: string; readonly offset: number }> {
  for (let start = 0; start < text.length;) {
    const next = text.indexOf('\n', start);
    const end = next < 0 ? text.length : next;
    yield { line: text.slice(start, end), offset: start };
    start = end + 1;
  }
}
