import type { UpstreamShape } from './shape.ts';
import { types, unknown } from '../../support/upstreams/scripted-registry.ts';
import type { Answer, ScriptedRegistry } from '../../support/upstreams/scripted-registry.ts';

const all = { crane: 'right', skopeo: 'right', regctl: 'right', containerd: 'right' } as const;

/** HEAD of manifests is refused; GET is answered. */
function refuseHead(registry: ScriptedRegistry, answer: Answer): void {
  registry.answer = ({ kind, method }) =>
    kind === 'manifest' && method === 'HEAD' ? answer : undefined;
}

export const manifestShapes: readonly UpstreamShape[] = [
  {
    name: 'A registry that is right in all',
    clients: all,
    play: (registry) => {
      registry.image({ tag: 'v1' });
      return [{ ask: 'pull', reference: 'v1' }];
    },
  },
  ...[404, 400, 403, 500, 503].map((status): UpstreamShape => ({
    name: `HEAD of a manifest is ${status}, and GET is right`,
    clients: { ...all, containerd: 'fails' },
    play: (registry) => {
      registry.image({ tag: 'v1' });
      refuseHead(registry, unknown('UNSUPPORTED', status));
      return [{ ask: 'pull', reference: 'v1' }];
    },
  })),
  {
    name: 'HEAD of a manifest is 405, and GET is right',
    clients: all,
    play: (registry) => {
      registry.image({ tag: 'v1' });
      refuseHead(registry, unknown('UNSUPPORTED', 405));
      return [{ ask: 'pull', reference: 'v1' }];
    },
  },
  ...[404, 405, 500].map((status): UpstreamShape => ({
    name: `HEAD of a manifest is ${status}, and its tag moves (freshFor: 0s)`,
    clients: { crane: 'right', skopeo: 'right' },
    rule: { freshFor: '0s' },
    play: (registry) => {
      registry.image({ tag: 'v1' });
      refuseHead(registry, unknown('UNSUPPORTED', status));
      return [
        { ask: 'pull', reference: 'v1' },
        () => void registry.image({ tag: 'v1', salt: 'moved' }),
        { ask: 'pull', reference: 'v1' },
      ];
    },
  })),
  {
    name: 'HEAD of a manifest has no Docker-Content-Digest',
    clients: { crane: 'right', skopeo: 'right', regctl: 'right' },
    rule: { freshFor: '0s' },
    play: (registry) => {
      registry.image({ tag: 'v1' });
      registry.answer = ({ kind, method }, ordinary) => {
        const answer = ordinary();
        if (kind !== 'manifest' || method !== 'HEAD' || 'break' in answer) return answer;
        return { ...answer, headers: { 'content-type': types.manifest } };
      };
      return [
        { ask: 'digest', reference: 'v1' },
        () => void registry.image({ tag: 'v1', salt: 'moved' }),
        { ask: 'digest', reference: 'v1' },
        { ask: 'pull', reference: 'v1' },
      ];
    },
  },
  {
    name: 'A tag moves after its HEAD, and the old digest is gone',
    clients: { crane: 'right', regctl: 'right' },
    play: (registry) => {
      const old = registry.image({ tag: 'v1' });
      return [
        { ask: 'digest', reference: 'v1' },
        () => {
          registry.drop(old.digest);
          registry.image({ tag: 'v1', salt: 'moved' });
        },
        { ask: 'pull', reference: 'v1' },
      ];
    },
  },
];
