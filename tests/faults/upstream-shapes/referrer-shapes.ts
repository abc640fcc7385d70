import type { UpstreamShape } from './shape.ts';

export const referrerShapes: readonly UpstreamShape[] = [];
