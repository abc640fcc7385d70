import type { DigestAlgorithm } from '../../domain/names/digest.ts';
import type { UploadRecord } from './upload-data.ts';

const dataPattern = new RegExp(
  '^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})' +
    '\\.(sha256|sha512)\\.([0-9]{1,16})\\.([0-9a-f]{32})\\.data$',
);
const placePattern = /^([0-9a-f]{32})\.place$/;

/** A data file's name says all that must be known of its upload, so that making the name durable is enough. */
export function dataNameOf({ id, algorithm, startedAt, placeKey }: UploadRecord): string {
  return `${id}.${algorithm}.${Math.floor(startedAt)}.${placeKey}.data`;
}

/** `undefined` for any other name. */
export function parseDataName(name: string): UploadRecord | undefined {
  const match = dataPattern.exec(name);
  if (match === null) return undefined;
  const [, id, algorithm, startedAt, placeKey] = match as unknown as readonly string[];
  return {
    id: id!,
    algorithm: algorithm as DigestAlgorithm,
    startedAt: Number(startedAt),
    placeKey: placeKey!,
  };
}

/** The file that tells which place a key stands for. */
export function placeNameOf(placeKey: string): string {
  return `${placeKey}.place`;
}

/** The key; `undefined` for any other name. */
export function parsePlaceName(name: string): string | undefined {
  return placePattern.exec(name)?.[1];
}
