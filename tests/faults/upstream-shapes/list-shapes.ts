import type { UpstreamShape } from './shape.ts';

const listers = { crane: 'right', skopeo: 'right', regctl: 'right' } as const;

export const listShapes: readonly UpstreamShape[] = [
  {
    name: 'Tags are listed by n and last',
    clients: listers,
    play: (registry) => {
      for (const tag of ['v1', 'v2', 'latest']) registry.image({ tag });
      return [{ ask: 'tags' }];
    },
  },
];
