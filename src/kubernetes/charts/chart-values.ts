import type { Rewritten } from '../../domain/image-rewrite.ts';
import { ChartFailure } from './chart-failure.ts';
import type { ChartScene, ImageTemplate, ValuesForm } from './chart-scene.ts';
import { changesOf, findTemplates, openScene, renderNames } from './chart-scene.ts';
import type { OpenChart } from './open-chart.ts';
import type { RenderedImage, RenderedImages } from './rendered-images.ts';
import { pairImages } from './rendered-images.ts';
import type { KnobNames, WantedImage } from './solve-knobs.ts';
import { solveKnobs } from './solve-knobs.ts';
import { setArguments, valuesOf } from './values-changes.ts';

export interface ChartQuestion {
  readonly chart: OpenChart;
  readonly rewrite: (image: string) => Rewritten;
  readonly form: ValuesForm;
}

/** The values by which a chart's images come from elsewhere. */
export interface ChartValues {
  /** To lay over the chart's and the user's own; empty where nothing is to be set. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The same as words of helm's command line. */
  readonly args: readonly string[];
  readonly images: readonly ChartImage[];
  /** Documents that could not be read, with the reason. */
  readonly problems: readonly string[];
}

export interface ChartImage extends RenderedImage {
  readonly rewritten: Rewritten;
  /** `moved`: it is what it is to be; `unmoved`: no value does that; `kept`: it stays by the mapping. */
  readonly state: 'moved' | 'unmoved' | 'kept';
}

/** Of solving again without the images that came out wrong. */
const roundsMax = 5;

/**
 * Renders the chart with a mark in each value that may name an image, sees which images follow which, and chooses values.
 * Rendered with these, each image is what it is to be, or what it was; throws `ChartFailure` where that can't be had, and where
 * helm fails.
 */
export async function findChartValues(
  { chart, rewrite, form }: ChartQuestion,
  signal: AbortSignal,
): Promise<ChartValues> {
  const scene = await openScene(chart, form, signal);
  const { before, knobs } = scene;
  const rewritten = new Map(before.images.map((image) => [image, rewrite(image.image)]));
  const targets: Targets = {
    of: (image) => {
      const made = rewritten.get(image);
      return made?.kind === 'rewritten' ? made.image : image.image;
    },
    templates: await findTemplates(scene, signal),
    pinned: new Set(),
  };
  for (let round = 0; round < roundsMax; round += 1) {
    const names = solveKnobs(
      before.images.map((image) => wantedOf(image, targets)),
      knobs,
    );
    const after = await renderNames(names, scene, signal);
    const pairs = pairImages(before, after);
    const wrong = wrongImages(pairs, after, targets);
    if (wrong.length === 0) return found(names, scene, { pairs, rewritten });
    for (const image of wrong) targets.pinned.add(image);
  }
  throw new ChartFailure('no values were found with which every image is right', {
    kind: 'chart',
    because: [...targets.pinned]
      .map(({ object, field, image }) => `${object}: ${field}: ${image}`)
      .join('\n'),
    hint: 'set these by hand, and give the values with -f',
  });
}

interface Targets {
  readonly of: (image: RenderedImage) => string;
  readonly templates: ReadonlyMap<RenderedImage, ImageTemplate>;
  /** They came out wrong, and have to stay as they are. */
  readonly pinned: Set<RenderedImage>;
}

function wantedOf(image: RenderedImage, { of, templates, pinned }: Targets): WantedImage {
  const { local, all, unlike = false } = templates.get(image) ?? {};
  const becomes = pinned.has(image) || unlike ? image.image : of(image);
  return { image: image.image, becomes, ...(local && { local }), ...(all && { all }) };
}

type Pairs = ReadonlyMap<RenderedImage, RenderedImage | undefined>;

function wrongImages(
  pairs: Pairs,
  after: RenderedImages,
  { of }: Targets,
): readonly RenderedImage[] {
  const wrong = [...pairs].flatMap(([image, made]) =>
    made?.image === image.image || made?.image === of(image) ? [] : [image],
  );
  if (wrong.length === 0 && after.images.length !== pairs.size)
    throw new ChartFailure('with other images the chart renders other objects', {
      kind: 'chart',
      hint: 'set the images of this chart by hand',
    });
  return wrong;
}

function found(
  names: KnobNames,
  scene: ChartScene,
  {
    pairs,
    rewritten,
  }: { readonly pairs: Pairs; readonly rewritten: ReadonlyMap<RenderedImage, Rewritten> },
): ChartValues {
  const changes = changesOf(names, scene);
  const images = [...pairs].map(([image, made]): ChartImage => {
    const becomes = rewritten.get(image) ?? { kind: 'unchanged', reason: 'no image name' };
    const isMoved = becomes.kind === 'rewritten' && made?.image === becomes.image;
    const stays = becomes.kind === 'rewritten' ? 'unmoved' : 'kept';
    return { ...image, rewritten: becomes, state: isMoved ? 'moved' : stays };
  });
  return {
    values: valuesOf(changes, scene.values),
    args: setArguments(changes, scene.values),
    images,
    problems: scene.before.problems,
  };
}
