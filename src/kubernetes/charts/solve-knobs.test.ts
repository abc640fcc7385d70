import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageKnob, ImagePiece } from './image-knobs.ts';
import type { WantedImage } from './solve-knobs.ts';
import { solveKnobs } from './solve-knobs.ts';

function knob(name: string, rest: Partial<ImageKnob> = {}): ImageKnob {
  return { path: ['x'], name, ending: '', global: false, registry: false, mark: 'bw0z', ...rest };
}

const registry = { registry: true };
const globally = { registry: true, global: true };

function wanted(
  image: string,
  becomes: string,
  local: readonly ImagePiece[],
  all: readonly ImagePiece[] = local,
): WantedImage {
  return { image, becomes, local, all };
}

interface Row {
  readonly says: string;
  readonly knobs: readonly ImageKnob[];
  readonly images: readonly WantedImage[];
  readonly names: Readonly<Record<number, string>>;
}

const rows: readonly Row[] = [
  {
    says: 'A repository stays where its registry alone can say it, with library/ at its end.',
    knobs: [knob('', registry), knob('nats')],
    images: [wanted('nats:2', 'h/docker.io/library/nats:2', [0, '/', 1, ':2'])],
    names: { 0: 'h/docker.io/library' },
  },
  {
    says: 'A whole name in the repository is changed there, and the empty registry beside it stays empty.',
    knobs: [knob('', registry), knob('quay.io/a/b')],
    images: [wanted('quay.io/a/b:1', 'h/q/b:1', [0, '/', 1, ':1'])],
    names: { 1: 'h/q/b' },
  },
  {
    says: 'Two images that share a registry and need two: the repository of the one takes what is missing.',
    knobs: [knob('docker.io', registry), knob('nginx'), knob('a/b')],
    images: [
      wanted('docker.io/nginx:1', 'h/docker.io/library/nginx:1', [0, '/', 1, ':1']),
      wanted('docker.io/a/b:1', 'h/docker.io/a/b:1', [0, '/', 2, ':1']),
    ],
    names: { 0: 'h/docker.io', 1: 'library/nginx' },
  },
  {
    says: 'An image that has to stay keeps the registry that it shares.',
    knobs: [knob('q', registry)],
    images: [wanted('q/a:1', 'h/q/a:1', [0, '/a:1']), wanted('q/b:1', 'q/b:1', [0, '/b:1'])],
    names: {},
  },
  {
    says: 'The registry of all charts is left alone where their own values do.',
    knobs: [knob('', globally), knob('quay.io', registry), knob('a/b')],
    images: [wanted('quay.io/a/b:1', 'h/quay.io/a/b:1', [1, '/', 2, ':1'], [0, '/', 2, ':1'])],
    names: { 1: 'h/quay.io' },
  },
  {
    says: 'It is taken where nothing else moves an image, and the others follow it.',
    knobs: [knob('', globally), knob('quay.io', registry), knob('a/b')],
    images: [
      wanted('quay.io/a/b:1', 'h/quay.io/a/b:1', [1, '/', 2, ':1'], [0, '/', 2, ':1']),
      { image: 'quay.io/c:1', becomes: 'h/quay.io/c:1', all: [0, '/c:1'] },
    ],
    names: { 0: 'h/quay.io' },
  },
  {
    says: 'An image of no knob changes nothing.',
    knobs: [knob('q', registry)],
    images: [{ image: 'a:1', becomes: 'h/a:1' }],
    names: {},
  },
];

for (const { says, knobs, images, names } of rows)
  test(says, () => {
    const found = Object.fromEntries(solveKnobs(images, knobs));
    assert.deepEqual(found, Object.fromEntries(Object.entries(names)));
  });

test('A thousand images that share one registry are solved at once.', () => {
  const knobs = [
    knob('q', registry),
    ...Array.from({ length: 1000 }, (_, index) => knob(`i${index}`)),
  ];
  const images = knobs
    .slice(1)
    .map(({ name }, index) => wanted(`q/${name}`, `h/q/${name}`, [0, '/', index + 1]));
  assert.deepEqual([...solveKnobs(images, knobs)], [[0, 'h/q']]);
});
