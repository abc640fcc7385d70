import { isObject } from '../../domain/json.ts';
import { textOf } from '../places/field-pattern.ts';
import { fieldText } from '../places/image-place.ts';
import { imagePlaces } from '../places/image-places.ts';
import { renderedDocuments, templateOf } from '../text/rendered-documents.ts';
import { readDocuments } from '../text/yaml-documents.ts';
import { YamlProblem } from '../text/yaml-tree.ts';

/** One place of the rendered manifests that names an image. */
export interface RenderedImage {
  readonly image: string;
  /** `Deployment web`, `Job install/migrate`. */
  readonly object: string;
  readonly field: string;
  readonly certainty: 'image' | 'review';
  /** It is an object of a hook, which is run and not kept. */
  readonly hook: boolean;
  /** The number of its document, from 0. */
  readonly document: number;
}

export interface RenderedImages {
  readonly images: readonly RenderedImage[];
  /** Kinds of the documents, in their order: two renderings with the same have the same documents. */
  readonly kinds: string;
  /** Documents that could not be read, with the reason. */
  readonly problems: readonly string[];
}

/** The images of what `helm template` printed. */
export function renderedImages(text: string): RenderedImages {
  const images: RenderedImage[] = [];
  const kinds: string[] = [];
  const problems: string[] = [];
  for (const [document, part] of renderedDocuments(text).entries()) {
    try {
      for (const { value } of readDocuments(part).documents) {
        if (!isObject(value)) continue;
        const kind = textOf(value['kind']) ?? '';
        kinds.push(kind);
        const metadata = isObject(value['metadata']) ? value['metadata'] : {};
        const annotations = isObject(metadata['annotations']) ? metadata['annotations'] : {};
        const name = [metadata['namespace'], metadata['name']].flatMap(
          (each) => textOf(each) ?? [],
        );
        for (const place of imagePlaces(value)) {
          if (place.form !== undefined) continue;
          images.push({
            image: place.image,
            object: `${kind} ${name.join('/')}`.trimEnd(),
            field: fieldText(place.path),
            certainty: place.certainty,
            hook: 'helm.sh/hook' in annotations,
            document,
          });
        }
      }
    } catch (error) {
      if (!(error instanceof YamlProblem)) throw error;
      problems.push(`${templateOf(part) ?? `document ${document}`}: ${error.message}`);
    }
  }
  return { images, kinds: kinds.join('\n'), problems };
}

/** For each image of the one what stands in its place in the other; `undefined` where nothing does. */
export function pairImages(
  before: RenderedImages,
  after: RenderedImages,
): ReadonlyMap<RenderedImage, RenderedImage | undefined> {
  // Names may be drawn anew at each rendering; what is rendered may depend on values.
  const place: (image: RenderedImage) => string | number =
    before.kinds === after.kinds ? ({ document }) => document : ({ object }) => object;
  const keyed = (images: readonly RenderedImage[]): Map<string, RenderedImage> => {
    const found = new Map<string, RenderedImage>();
    const counts = new Map<string, number>();
    for (const image of images) {
      const key = `${place(image)}\0${image.field}`;
      const nth = counts.get(key) ?? 0;
      counts.set(key, nth + 1);
      found.set(`${key}\0${nth}`, image);
    }
    return found;
  };
  const others = keyed(after.images);
  return new Map([...keyed(before.images)].map(([key, image]) => [image, others.get(key)]));
}
