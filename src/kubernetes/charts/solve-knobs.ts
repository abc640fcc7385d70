import type { ImageKnob, ImagePiece } from './image-knobs.ts';

/** What one image is to be, and of which knobs it is made. */
export interface WantedImage {
  /** What it is now. */
  readonly image: string;
  /** What it is to be; the same as `image` where it must stay. */
  readonly becomes: string;
  /** With the knobs of all charts left alone; absent where none is in it. */
  readonly local?: readonly ImagePiece[];
  /** With those set too, where that is different. */
  readonly all?: readonly ImagePiece[];
}

/** New names by the number of the knob; a knob that is not there keeps what it has. */
export type KnobNames = ReadonlyMap<number, string>;

/** One way to make an image what it is to be. */
interface Way {
  readonly names: KnobNames;
  readonly cost: number;
}

/** Dearer than everything that moves an image. */
const leftCost = 1000;
const waysMax = 64;
const stepsMax = 200_000;

/**
 * Names for the knobs with which the most images are what they are to be, and no other image changes; of several such the one
 * that changes the fewest values, registries rather than repositories, a chart's own values rather than those of all charts.
 */
export function solveKnobs(wanted: readonly WantedImage[], knobs: readonly ImageKnob[]): KnobNames {
  const distinct = new Map(wanted.map((each) => [JSON.stringify(each), each]));
  const rows = [...distinct.values()]
    .map((each) => waysOf(each, knobs))
    .filter((ways) => ways.length > 0)
    .toSorted((a, b) => a.length - b.length);
  return search(rows, knobs);
}

function waysOf(wanted: WantedImage, knobs: readonly ImageKnob[]): readonly Way[] {
  const { image, becomes, local, all } = wanted;
  const numbers = [...new Set([...(local ?? []), ...(all ?? [])])].filter(
    (piece) => typeof piece === 'number',
  );
  if (numbers.length === 0) return [];
  const originals = new Map(numbers.map((number) => [number, knobs[number]?.name ?? '']));
  const left: Way = { names: originals, cost: image === becomes ? 0 : leftCost };
  if (image === becomes) return [left];
  const globals = numbers.filter((number) => knobs[number]?.global === true);
  const ways: Way[] = [];
  for (const names of local === undefined ? [] : fits(local, becomes, knobs)) {
    const pinned = globals.map((number) => [number, knobs[number]?.name ?? ''] as const);
    const own = [...names].every(
      ([number, name]) => knobs[number]?.global !== true || name === originals.get(number),
    );
    if (own) ways.push({ names: new Map([...names, ...pinned]), cost: costOf(names, knobs) });
  }
  for (const names of all === undefined ? [] : fits(all, becomes, knobs)) {
    // Where they stay as they are, what is rendered is what `local` says.
    if (
      globals.some(
        (number) => names.get(number) === originals.get(number) && names.get(number) === '',
      )
    )
      continue;
    ways.push({ names, cost: costOf(names, knobs) });
  }
  return [...ways.toSorted((a, b) => a.cost - b.cost).slice(0, waysMax), left];
}

function costOf(names: KnobNames, knobs: readonly ImageKnob[]): number {
  let cost = 0;
  for (const [number, name] of names) {
    const knob = knobs[number];
    if (knob === undefined || name === knob.name) continue;
    cost += knob.registry ? 1 : 1.1;
    if (knob.global) cost += 0.5;
    if (knob.registry) cost += name.split('/').length / 100;
  }
  return cost;
}

/** All names of the knobs with which the pieces are the text. */
function fits(
  pieces: readonly ImagePiece[],
  text: string,
  knobs: readonly ImageKnob[],
): readonly KnobNames[] {
  const found: KnobNames[] = [];
  const walk = (index: number, at: number, names: KnobNames): void => {
    if (found.length >= waysMax * 4) return;
    const piece = pieces[index];
    if (piece === undefined) {
      if (at === text.length) found.push(names);
      return;
    }
    if (typeof piece === 'string') {
      if (text.startsWith(piece, at)) walk(index + 1, at + piece.length, names);
      return;
    }
    const known = names.get(piece);
    for (const name of known === undefined ? namesAt(pieces, index, at, text) : [known])
      if (text.startsWith(name, at))
        walk(index + 1, at + name.length, new Map([...names, [piece, name]]));
    const next = pieces[index + 1];
    // An empty registry takes its slash with it.
    if (
      knobs[piece]?.name === '' &&
      known === undefined &&
      typeof next === 'string' &&
      next.startsWith('/')
    ) {
      const rest = next.slice(1);
      if (text.startsWith(rest, at))
        walk(index + 2, at + rest.length, new Map([...names, [piece, '']]));
    }
  };
  walk(0, 0, new Map());
  return found;
}

/** What a knob may hold from there on: up to where the text of the next piece begins, or to the end. */
function namesAt(
  pieces: readonly ImagePiece[],
  index: number,
  at: number,
  text: string,
): readonly string[] {
  const next = pieces[index + 1];
  if (next === undefined) return at < text.length ? [text.slice(at)] : [];
  const until = typeof next === 'string' ? next : '/';
  const names: string[] = [];
  for (let end = text.indexOf(until, at + 1); end > 0; end = text.indexOf(until, end + 1))
    names.push(text.slice(at, end));
  return names;
}

/** The cheapest choice of one way for each row in which no knob has two names; the best one found where there are too many. */
function search(rows: readonly (readonly Way[])[], knobs: readonly ImageKnob[]): KnobNames {
  const least = rows.map((ways) => Math.min(...ways.map(({ cost }) => cost)));
  const rest = least.map((_, index) => least.slice(index).reduce((sum, each) => sum + each, 0));
  let best: KnobNames = new Map();
  let bestCost = Infinity;
  let steps = 0;
  const walk = (index: number, names: KnobNames, cost: number): void => {
    steps += 1;
    if (steps > stepsMax || cost + (rest[index] ?? 0) >= bestCost) return;
    const ways = rows[index];
    if (ways === undefined) {
      best = names;
      bestCost = cost;
      return;
    }
    // What other rows have set already costs nothing more.
    for (const way of ways) {
      const agrees = [...way.names].every(([number, name]) => (names.get(number) ?? name) === name);
      if (agrees) walk(index + 1, new Map([...names, ...way.names]), cost + way.cost);
    }
  };
  walk(0, new Map(), 0);
  return new Map([...best].filter(([number, name]) => knobs[number]?.name !== name));
}
