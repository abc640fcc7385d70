import { isObject } from '../../domain/json.ts';
import { ChartFailure } from './chart-failure.ts';
import type { ImageKnob, ImagePiece } from './image-knobs.ts';
import { findKnobs, piecesByMark } from './image-knobs.ts';
import type { OpenChart, ValuesOver } from './open-chart.ts';
import type { RenderedImage, RenderedImages } from './rendered-images.ts';
import { pairImages, renderedImages } from './rendered-images.ts';
import type { KnobNames } from './solve-knobs.ts';
import type { ValueChange } from './values-changes.ts';
import { setArguments, valuesOf } from './values-changes.ts';

/** How values are handed to helm: as a file after all others, or as the last words of its command line. */
export type ValuesForm = 'values' | 'set';

/** A chart with what it renders by the user's own values, and the values by which its images may be moved. */
export interface ChartScene {
  readonly chart: OpenChart;
  readonly form: ValuesForm;
  readonly values: Readonly<Record<string, unknown>>;
  readonly before: RenderedImages;
  readonly knobs: readonly ImageKnob[];
  /** What the chart insists on before it takes other images. */
  readonly demands: ValueChange[];
}

export async function openScene(
  chart: OpenChart,
  form: ValuesForm,
  signal: AbortSignal,
): Promise<ChartScene> {
  const demands: ValueChange[] = [];
  const over = (): ValuesOver => (demands.length === 0 ? {} : overOf(demands, {}, form));
  const [before, values] = await withDemands(demands, async () => [
    renderedImages(await chart.render(over(), signal)),
    await chart.values(over(), signal),
  ]);
  if (demands.length === 0 && refusesOtherImages(values)) demands.push(allowance);
  const images = before.images.map(({ image }) => image);
  return { chart, form, values, before, knobs: findKnobs(values, images), demands };
}

function overOf(
  changes: readonly ValueChange[],
  values: Readonly<Record<string, unknown>>,
  form: ValuesForm,
): ValuesOver {
  return form === 'set'
    ? { args: setArguments(changes, values) }
    : { values: valuesOf(changes, values) };
}

/** Once more with what the chart insists on, where it says so. */
async function withDemands<Made>(demands: ValueChange[], make: () => Promise<Made>): Promise<Made> {
  try {
    return await make();
  } catch (error) {
    const isAsked =
      error instanceof ChartFailure && error.because?.includes('allowInsecureImages') === true;
    if (!isAsked || demands.length > 0) throw error;
    demands.push(allowance);
    return await make();
  }
}

/** Charts of Bitnami fail where an image is not the one that they were made for, unless this is set. */
const allowance: ValueChange = {
  path: ['global', 'security', 'allowInsecureImages'],
  value: true,
};

function refusesOtherImages(values: unknown, depth = 0): boolean {
  if (!isObject(values) || depth > 16) return false;
  const global = values['global'];
  const security = isObject(global) ? global['security'] : undefined;
  if (isObject(security) && security['allowInsecureImages'] === false) return true;
  return Object.entries(values).some(
    ([key, below]) => key !== 'global' && refusesOtherImages(below, depth + 1),
  );
}

/** The values that give knobs these names, with what the chart insists on; none where no name is given. */
export function changesOf(names: KnobNames, scene: ChartScene): readonly ValueChange[] {
  const changes = [...names].flatMap(([number, name]) => {
    const knob = scene.knobs[number];
    return knob === undefined ? [] : [{ path: knob.path, value: name + knob.ending }];
  });
  return changes.length === 0 ? [] : [...scene.demands, ...changes];
}

/** The images that are rendered with these names. */
export async function renderNames(
  names: KnobNames,
  scene: ChartScene,
  signal: AbortSignal,
): Promise<RenderedImages> {
  if (names.size === 0) return scene.before;
  const { chart, values, form, demands } = scene;
  return withDemands(demands, async () => {
    const over = overOf(changesOf(names, scene), values, form);
    return renderedImages(await chart.render(over, signal));
  });
}

/** Of which knobs an image is made. */
export interface ImageTemplate {
  /** With the values for all charts left alone. */
  readonly local?: readonly ImagePiece[];
  /** With those marked too: they may hide others. */
  readonly all?: readonly ImagePiece[];
  /** Put together of what its knobs hold it is not what was rendered: nobody can tell what it would become. */
  readonly unlike: boolean;
}

/** Renders with marks in the knobs, and sees which images have them. */
export async function findTemplates(
  scene: ChartScene,
  signal: AbortSignal,
): Promise<ReadonlyMap<RenderedImage, ImageTemplate>> {
  const { before, knobs } = scene;
  const numbers = [...knobs.keys()];
  const own = await mark(
    numbers.filter((each) => knobs[each]?.global === false),
    scene,
    signal,
  );
  const globals = numbers.filter((each) => knobs[each]?.global === true);
  const both = globals.length === 0 ? own : await mark([...own.numbers, ...globals], scene, signal);
  const [locals, alls] = [pairImages(before, own.images), pairImages(before, both.images)];
  return new Map(
    before.images.map((image) => {
      const local = piecesByMark(locals.get(image)?.image ?? '', knobs);
      const all = globals.length === 0 ? local : piecesByMark(alls.get(image)?.image ?? '', knobs);
      const unlike = local !== undefined && assembled(local, knobs) !== image.image;
      return [image, { ...(local && { local }), ...(all && { all }), unlike }];
    }),
  );
}

function assembled(pieces: readonly ImagePiece[], knobs: readonly ImageKnob[]): string {
  let text = '';
  let isEmpty = false;
  for (const piece of pieces) {
    const part = typeof piece === 'string' ? piece : (knobs[piece]?.name ?? '');
    // An empty registry takes its slash with it.
    text += isEmpty && part.startsWith('/') ? part.slice(1) : part;
    isEmpty = part === '';
  }
  return text;
}

interface Marked {
  readonly numbers: readonly number[];
  readonly images: RenderedImages;
}

/** Rendered with marks in these knobs, without those that the chart refuses to have changed. */
async function mark(
  numbers: readonly number[],
  scene: ChartScene,
  signal: AbortSignal,
): Promise<Marked> {
  const tried = async (some: readonly number[]): Promise<Marked | undefined> => {
    const marks = new Map(some.map((each) => [each, scene.knobs[each]?.mark ?? '']));
    try {
      return { numbers: some, images: await renderNames(marks, scene, signal) };
    } catch (error) {
      if (error instanceof ChartFailure && error.kind === 'chart') return undefined;
      throw error;
    }
  };
  const taken = async (some: readonly number[]): Promise<readonly number[]> => {
    if ((await tried(some)) !== undefined) return some;
    if (some.length <= 1) return [];
    const half = some.length >> 1;
    return [...(await taken(some.slice(0, half))), ...(await taken(some.slice(half)))];
  };
  const whole = (await tried(numbers)) ?? (await tried(await taken(numbers)));
  return whole ?? { numbers: [], images: scene.before };
}
