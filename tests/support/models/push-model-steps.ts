// The requests of a push, as a test draws them: numbers choose among what is there when their turn comes.
import fc from 'fast-check';
import type { Algorithm } from '../clients/registry-client.ts';

/** Where a chunk says that it begins; `lying`: with another length than it has, `none`: not at all. */
export type Place = 'none' | 'right' | 'again' | 'overlapping' | 'ahead' | 'lying';

export interface Digesting {
  readonly algorithm: Algorithm;
}

interface ChunkStep extends Digesting {
  readonly upload: number;
  readonly length: number;
  readonly place: Place;
  readonly streamed: boolean;
}

export type UploadStep =
  | { readonly kind: 'begin'; readonly salt: number }
  | {
      readonly kind: 'whole';
      readonly salt: number;
      readonly length: number;
      readonly right: boolean;
      readonly streamed: boolean;
      readonly algorithm: Algorithm;
    }
  | { readonly kind: 'mount'; readonly blob: number }
  | (Omit<ChunkStep, 'algorithm'> & { readonly kind: 'append' })
  /** A PATCH whose client is gone before its last byte: what came stays. */
  | {
      readonly kind: 'leave';
      readonly upload: number;
      readonly length: number;
      readonly streamed: boolean;
    }
  | (ChunkStep & { readonly kind: 'finish'; readonly digest: 'right' | 'wrong' | 'missing' })
  | { readonly kind: 'status'; readonly upload: number }
  | { readonly kind: 'cancel'; readonly upload: number };

export type BlobStep =
  | { readonly kind: 'blob'; readonly method: 'GET' | 'HEAD' | 'DELETE'; readonly blob: number }
  | {
      readonly kind: 'putImage';
      readonly config: number;
      readonly layer: number;
      readonly tag: number;
      readonly by: 'tag' | 'digest' | 'wrong digest';
      readonly wrongSize: boolean;
    }
  | { readonly kind: 'putIndex'; readonly manifest: number; readonly tag: number }
  | {
      readonly kind: 'manifest' | 'tag';
      readonly method: 'GET' | 'HEAD' | 'DELETE';
      readonly chosen: number;
    }
  | { readonly kind: 'tags' };

export type PushStep = UploadStep | BlobStep;

const places = ['none', 'right', 'again', 'overlapping', 'ahead', 'lying'] as const;
const methods = fc.constantFrom('GET', 'HEAD', 'DELETE');
const number = fc.nat({ max: 20 });
const salt = fc.nat({ max: 2 });
// The last is more than the server gathers before it writes.
const length = fc.constantFrom(0, 1, 7, 1000, 1000, 70_000, 300_000);
// All of it arrives or nothing.
const leftLength = fc.constantFrom(3, 7, 1000);
const algorithm = fc.constantFrom<Algorithm>('sha256', 'sha256', 'sha256', 'sha512');
const place = fc.constantFrom<Place>('none', 'none', 'right', 'right', 'right', ...places);
const streamed = fc.boolean();
const right = fc.constantFrom(true, true, false);
const kind = <Kind extends PushStep['kind']>(name: Kind): fc.Arbitrary<Kind> => fc.constant(name);

const chunk = { upload: number, length, place, streamed };
const digest = fc.constantFrom('right', 'right', 'right', 'wrong', 'missing');
const by = fc.constantFrom('tag', 'tag', 'digest', 'wrong digest');
const wrongSize = fc.constantFrom(false, false, false, true);

/** Any step; what most pushes are made of comes most often. */
export const anyStep: fc.Arbitrary<PushStep> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kind('begin'), salt }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: kind('whole'), salt, length, right, streamed, algorithm }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('mount'), blob: number }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('append'), ...chunk }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('leave'), upload: number, length: leftLength, streamed }),
  },
  { weight: 4, arbitrary: fc.record({ kind: kind('finish'), ...chunk, algorithm, digest }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('status'), upload: number }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('cancel'), upload: number }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('blob'), method: methods, blob: number }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind('putImage'),
      config: number,
      layer: number,
      tag: salt,
      by,
      wrongSize,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('putIndex'), manifest: number, tag: salt }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('manifest'), method: methods, chosen: number }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('tag'), method: methods, chosen: salt }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('tags') }) },
);

/** Every request once for each way in which it can be right or wrong, on the upload with this number. */
export function everyStep(upload: number): readonly (readonly [name: string, step: PushStep])[] {
  const common = { upload, length: 100, streamed: false, algorithm: 'sha256' } as const;
  const put = { ...common, kind: 'finish', digest: 'right' } as const;
  const whole = { ...common, kind: 'whole', salt: 2, right: true } as const;
  const image = {
    kind: 'putImage',
    config: 0,
    layer: 0,
    tag: 0,
    by: 'tag',
    wrongSize: false,
  } as const;
  return [
    ['POST', { kind: 'begin', salt: 1 }],
    ['POST with digest and body', whole],
    ['POST with another digest than the body’s', { ...whole, right: false }],
    ['POST with digest and a stream', { ...whole, streamed: true }],
    ['POST that mounts', { kind: 'mount', blob: 0 }],
    ...places.flatMap((each): [string, PushStep][] => [
      [`PATCH, range: ${each}`, { ...common, kind: 'append', place: each }],
      [
        `PATCH of a stream, range: ${each}`,
        { ...common, kind: 'append', place: each, streamed: true },
      ],
      [`PUT with the last chunk, range: ${each}`, { ...put, place: each }],
      [`PUT with a stream, range: ${each}`, { ...put, place: each, streamed: true }],
    ]),
    ['PATCH whose client leaves', { kind: 'leave', upload, length: 100, streamed: false }],
    [
      'PATCH of a stream whose client leaves',
      { kind: 'leave', upload, length: 100, streamed: true },
    ],
    ['PATCH of nothing', { ...common, kind: 'append', place: 'none', length: 0 }],
    ['PUT without a chunk', { ...put, place: 'none', length: 0 }],
    ['PUT with a SHA-512 digest', { ...put, place: 'none', length: 0, algorithm: 'sha512' }],
    ['PUT with a wrong digest', { ...put, place: 'none', length: 0, digest: 'wrong' }],
    ['PUT of a chunk with a wrong digest', { ...put, place: 'right', digest: 'wrong' }],
    [
      'PUT of a chunk out of place with a wrong digest',
      { ...put, place: 'ahead', digest: 'wrong' },
    ],
    ['PUT without a digest', { ...put, place: 'none', digest: 'missing' }],
    ['GET of the upload', { kind: 'status', upload }],
    ['DELETE of the upload', { kind: 'cancel', upload }],
    ...(['GET', 'HEAD', 'DELETE'] as const).flatMap((method): [string, PushStep][] => [
      [`${method} of a blob`, { kind: 'blob', method, blob: 0 }],
      [`${method} of a manifest`, { kind: 'manifest', method, chosen: 0 }],
      [`${method} of a tag`, { kind: 'tag', method, chosen: 0 }],
    ]),
    ['PUT of a manifest', image],
    ['PUT of a manifest by digest', { ...image, by: 'digest' }],
    ['PUT of a manifest by a wrong digest', { ...image, by: 'wrong digest' }],
    ['PUT of a manifest that lies about a size', { ...image, wrongSize: true }],
    ['PUT of an index', { kind: 'putIndex', manifest: 0, tag: 1 }],
  ];
}
