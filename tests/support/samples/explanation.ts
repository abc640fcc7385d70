import type { ExplainedTag, Explanation } from '../../../src/contract/explanation.ts';

/** A fresh tag of an upstream, never revalidated. */
export const explainedTag: ExplainedTag = {
  digest: 'sha256:abc',
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  size: 500,
  validatedAt: '2026-01-01T00:00:00.000Z',
  freshUntil: null,
  fresh: true,
  sourceChanged: false,
  immutable: false,
  status: 'ok',
  provenance: 'cached',
  historyCount: 1,
};

/** Of an image of which nothing is held or known, without a rule. */
export const explanation: Explanation = {
  image: 'up/a:1',
  repository: 'up/a',
  reference: '1',
  rule: null,
  upstream: null,
  admission: { allowed: true, reason: 'no patterns' },
  access: { anonymous: true, reason: 'no credential is involved' },
  stopped: null,
  lastTry: null,
  tag: null,
  content: {
    state: 'absent',
    digest: null,
    mediaType: null,
    held: { manifests: 0, blobs: 0 },
    missing: { manifests: 0, blobs: 0 },
    platforms: [],
    examples: [],
    truncated: false,
  },
  limiter: null,
  space: null,
  verdict: { code: 'fetch', text: 'fetched and kept' },
  probe: null,
};
