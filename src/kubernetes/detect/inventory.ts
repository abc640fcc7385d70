import { objectKey } from './detection.ts';
import type { Certainty, DetectedImage, ImageUse, ObjectName, UsePlace } from './detection.ts';
import type { Judge } from './flags.ts';

/** Of one image; the rest is counted. */
const placesMax = 100;
/** Of all images together, some 40 MB. */
const allPlacesMax = 200_000;

/** What was found so far, each image once. Memory grows with different images and their places, not with how often they are used. */
export interface Inventory {
  add(use: ImageUse): void;
  /** Whether an object is among the places of an image. */
  names(image: string, object: ObjectName): boolean;
  /** Takes over what another one found; that one is not used any more. */
  addAll(other: Inventory): void;
  /** Each image with what was found of it. */
  parts(): Iterable<readonly [image: string, found: Found]>;
  /** The most used first, each with what is to be said of it. */
  images(judge: Judge): readonly DetectedImage[];
}

interface Found {
  count: number;
  certainty: Certainty;
  readonly places: Map<string, UsePlace>;
  /** The objects of the places. */
  readonly objects: Set<string>;
  morePlaces: number;
}

export function createInventory(): Inventory {
  const byImage = new Map<string, Found>();
  let allPlaces = 0;

  const notePlace = (found: Found, key: string, place: UsePlace): void => {
    if (found.places.has(key)) return;
    if (found.places.size >= placesMax || allPlaces >= allPlacesMax) {
      found.morePlaces += 1;
      return;
    }
    found.places.set(key, place);
    if (!('file' in place)) found.objects.add(objectKey(place));
    allPlaces += 1;
  };

  const foundOf = (image: string, certainty: Certainty): Found => {
    const found = byImage.get(image) ?? {
      count: 0,
      certainty,
      places: new Map(),
      objects: new Set(),
      morePlaces: 0,
    };
    byImage.set(image, found);
    if (rank[certainty] < rank[found.certainty]) found.certainty = certainty;
    return found;
  };

  return {
    add({ image, certainty, count, place, samePlace }) {
      const found = foundOf(image, certainty);
      found.count += count;
      if (place !== undefined) notePlace(found, samePlace ?? placeKey(place), place);
    },
    names: (image, object) => byImage.get(image)?.objects.has(objectKey(object)) ?? false,
    *parts() {
      for (const [image, found] of byImage) yield [image, found];
    },
    addAll(other) {
      for (const [image, whole] of other.parts()) {
        const { count, certainty, places, morePlaces } = whole;
        if (!byImage.has(image) && allPlaces + places.size <= allPlacesMax) {
          byImage.set(image, whole);
          allPlaces += places.size;
          continue;
        }
        const found = foundOf(image, certainty);
        found.count += count;
        found.morePlaces += morePlaces;
        for (const [key, place] of places) notePlace(found, key, place);
      }
    },
    images: (judge) =>
      [...byImage]
        .map(([image, { count, certainty, places, morePlaces }]) => ({
          image,
          count,
          certainty,
          ...judge(image, certainty),
          places: [...places.values()],
          morePlaces,
        }))
        .toSorted((one, other) => other.count - one.count || compare(one.image, other.image)),
  };
}

/** An image that is certain somewhere is certain. */
const rank: Readonly<Record<Certainty, number>> = {
  image: 0,
  artifact: 1,
  prefix: 2,
  review: 3,
  node: 4,
};

function placeKey(place: UsePlace): string {
  if ('file' in place) return `${place.file}\n${place.line}\n${place.column}`;
  return `${objectKey(place)}\n${place.field}`;
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
