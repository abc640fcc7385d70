import type { UpstreamShape } from './shape.ts';
import { types, unknown } from '../../support/upstreams/scripted-registry.ts';
import type { Descriptor, ScriptedRegistry } from '../../support/upstreams/scripted-registry.ts';

/** An artifact that refers to the subject, as a referrers list names it. */
function referrer(
  registry: ScriptedRegistry,
  { mediaType, digest, size }: Descriptor,
  artifactType: string,
): Descriptor {
  const { layer: _layer, ...artifact } = registry.image({
    salt: artifactType,
    manifest: { artifactType, subject: { mediaType, digest, size } },
  });
  return { ...artifact, artifactType };
}

const regctl = { regctl: 'right' } as const;

export const referrerShapes: readonly UpstreamShape[] = [
  {
    name: 'Referrers by the API',
    clients: regctl,
    play: (registry) => {
      const subject = registry.image({ tag: 'v1' });
      const artifacts = ['a/sbom', 'a/signature'].map((type) => referrer(registry, subject, type));
      registry.referrers = new Map([[subject.digest, artifacts]]);
      return [{ ask: 'referrers', reference: 'v1' }];
    },
  },
  {
    name: 'No referrers API: the subject’s tag names them',
    clients: regctl,
    play: (registry) => {
      const subject = registry.image({ tag: 'v1' });
      const manifests = ['a/sbom', 'a/signature'].map((type) => referrer(registry, subject, type));
      const tag = subject.digest.replace(':', '-');
      const index = { schemaVersion: 2, mediaType: types.index, manifests };
      registry.manifest(index, { tag, mediaType: types.index });
      return [{ ask: 'referrers', reference: subject.digest }];
    },
  },
  {
    name: 'Neither the API nor the tag: nothing refers to it',
    clients: regctl,
    play: (registry) => {
      const { digest } = registry.image({ tag: 'v1' });
      registry.answer = ({ kind }) => (kind === 'referrers' ? unknown('UNSUPPORTED') : undefined);
      return [{ ask: 'referrers', reference: digest }];
    },
  },
];
