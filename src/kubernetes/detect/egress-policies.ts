import { isObject } from '../../domain/json.ts';
import type { ClusterKind } from './cluster-kinds.ts';
import { kindLabel } from './cluster-kinds.ts';
import type { DetectedPolicy } from './detection.ts';
import { knownMoves } from './known-moves.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Where the hosts stand that a policy allows; `[]` is each item of a list. */
const hostFields: Readonly<Record<string, readonly string[]>> = {
  'ciliumnetworkpolicies.cilium.io': ciliumFields(),
  'ciliumclusterwidenetworkpolicies.cilium.io': ciliumFields(),
  'serviceentries.networking.istio.io': ['spec.hosts[]'],
  'sidecars.networking.istio.io': ['spec.egress[].hosts[]'],
  'networkpolicies.crd.projectcalico.org': ['spec.egress[].destination.domains[]'],
  'globalnetworkpolicies.crd.projectcalico.org': ['spec.egress[].destination.domains[]'],
  'networksets.crd.projectcalico.org': ['spec.allowedEgressDomains[]'],
  'globalnetworksets.crd.projectcalico.org': ['spec.allowedEgressDomains[]'],
  'networkpolicies.projectcalico.org': ['spec.egress[].destination.domains[]'],
  'globalnetworkpolicies.projectcalico.org': ['spec.egress[].destination.domains[]'],
  'networksets.projectcalico.org': ['spec.allowedEgressDomains[]'],
  'globalnetworksets.projectcalico.org': ['spec.allowedEgressDomains[]'],
};

function ciliumFields(): readonly string[] {
  return ['spec', 'specs[]'].flatMap((spec) =>
    ['matchName', 'matchPattern'].map((name) => `${spec}.egress[].toFQDNs[].${name}`),
  );
}

/** Whole hosts that another one follows. */
const successors: readonly (readonly [old: string, now: string])[] = knownMoves.flatMap(
  ({ host, path, to }) => (path === '' && to !== undefined ? [[host, to.host] as const] : []),
);
const namesMax = 20;

/** Whether a kind says what pods may reach. */
export function isEgressPolicy(kind: ClusterKind): boolean {
  const label = kindLabel(kind);
  return label === 'networkpolicies.networking.k8s.io' || hostFields[label] !== undefined;
}

/** What is to be said of a policy; `undefined` where it is nothing. */
export function judgePolicy(
  kind: ClusterKind,
  object: Pick<DetectedPolicy, 'kind' | 'namespace' | 'name'>,
  fields: Fields,
): DetectedPolicy | undefined {
  const paths = hostFields[kindLabel(kind)];
  if (paths === undefined) return ofAddresses(object, fields);
  // Istio puts the namespace of a service before a slash.
  const names = paths
    .flatMap((path) => valuesAt(fields, path.split('.')))
    .map((name) => name.slice(name.lastIndexOf('/') + 1).toLowerCase());
  for (const [old, now] of successors) {
    if (!names.some((name) => allows(name, old)) || names.some((name) => allows(name, now)))
      continue;
    return {
      ...object,
      finding: 'old-host',
      names: names.slice(0, namesMax),
      text: `it lets ${old} through, and not ${now}, to which that sends every client`,
    };
  }
  return undefined;
}

function ofAddresses(
  object: Pick<DetectedPolicy, 'kind' | 'namespace' | 'name'>,
  fields: Fields,
): DetectedPolicy | undefined {
  const ranges = valuesAt(fields, 'spec.egress[].to[].ipBlock.cidr'.split('.'));
  if (ranges.length === 0 || ranges.some((range) => /^(0\.0\.0\.0|::)\/0$/.test(range)))
    return undefined;
  return {
    ...object,
    finding: 'addresses',
    names: ranges.slice(0, namesMax),
    text: 'it names ranges of addresses, which can’t tell whether a registry is among them: its hosts may have others tomorrow',
  };
}

/** `*` alone is every host; within a name it stands for characters of one, dots too, as Cilium reads it. */
function allows(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === '**') return true;
  if (pattern.length > 255) return false;
  const parts = pattern.split(/\*+/);
  const [first = '', ...rest] = parts;
  if (rest.length === 0) return pattern === host;
  const last = rest.pop() ?? '';
  if (!host.startsWith(first) || !host.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = host.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= host.length - last.length;
}

function valuesAt(node: unknown, path: readonly string[]): readonly string[] {
  const [step, ...rest] = path;
  if (step === undefined) return typeof node === 'string' ? [node] : [];
  if (!isObject(node)) return [];
  const isList = step.endsWith('[]');
  const value = node[isList ? step.slice(0, -2) : step];
  if (!isList) return valuesAt(value, rest);
  return Array.isArray(value) ? value.flatMap((item) => valuesAt(item, rest)) : [];
}
