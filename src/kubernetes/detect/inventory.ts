import type { Certainty, DetectedImage, ImageUse, UsePlace } from './detection.ts';
import { flagsOf } from './flags.ts';

/** Of one image; the rest is counted. */
const placesMax = 100;
/** Of all images together, some 40 MB. */
const allPlacesMax = 200_000;

/** What was found so far, each image once. Memory grows with different images and their places, not with how often they are used. */
export interface Inventory {
  add(use: ImageUse): void;
  /** The most used first. */
  images(): readonly DetectedImage[];
}

interface Found {
  count: number;
  certainty: Certainty;
  /** By what tells places apart. */
  readonly places: Map<string, UsePlace>;
  morePlaces: number;
}

export function createInventory(): Inventory {
  const byImage = new Map<string, Found>();
  let allPlaces = 0;

  const notePlace = (found: Found, place: UsePlace): void => {
    const key = placeKey(place);
    if (found.places.has(key)) return;
    if (found.places.size >= placesMax || allPlaces >= allPlacesMax) {
      found.morePlaces += 1;
      return;
    }
    found.places.set(key, place);
    allPlaces += 1;
  };

  return {
    add({ image, certainty, count, place }) {
      const found = byImage.get(image) ?? { count: 0, certainty, places: new Map(), morePlaces: 0 };
      byImage.set(image, found);
      found.count += count;
      if (rank[certainty] < rank[found.certainty]) found.certainty = certainty;
      notePlace(found, place);
    },
    images: () =>
      [...byImage]
        .map(([image, { count, certainty, places, morePlaces }]) => ({
          image,
          count,
          certainty,
          flags: flagsOf(image, certainty),
          places: [...places.values()],
          morePlaces,
        }))
        .toSorted((one, other) => other.count - one.count || compare(one.image, other.image)),
  };
}

/** An image that is certain somewhere is certain. */
const rank: Readonly<Record<Certainty, number>> = { image: 0, review: 1, node: 2 };

function placeKey(place: UsePlace): string {
  if ('file' in place) return `${place.file}\n${place.line}\n${place.column}`;
  const { kind, namespace = '', name, field } = place;
  return [kind, namespace, name, field].join('\n');
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
