import { isObject } from '../../domain/json.ts';
import type { ApiClient } from '../client/api-client.ts';
import { ApiStatus } from '../client/api-client.ts';
import { ClusterFailure } from '../client/cluster-failure.ts';

/** A kind of objects that the API server lists. */
export interface ClusterKind {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  /** As it stands in paths: `deployments`. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface FoundKinds {
  readonly kinds: readonly ClusterKind[];
  /** Groups whose own server does not answer: what they hold is not known. */
  readonly silent: readonly string[];
}

/** `deployments.apps`, as kubectl and RBAC name it. */
export function kindLabel({ resource, group }: ClusterKind): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** Of Kubernetes' own groups these hold images, or say what pods may reach. Of all other groups every kind is read. */
const ownKinds: Readonly<Record<string, readonly string[]>> = {
  '': ['configmaps', 'nodes', 'pods', 'podtemplates', 'replicationcontrollers'],
  apps: ['daemonsets', 'deployments', 'replicasets', 'statefulsets'],
  batch: ['cronjobs', 'jobs'],
  'networking.k8s.io': ['networkpolicies'],
  'admissionregistration.k8s.io': [],
  'apiextensions.k8s.io': [],
  'apiregistration.k8s.io': [],
  'authentication.k8s.io': [],
  'authorization.k8s.io': [],
  autoscaling: [],
  'certificates.k8s.io': [],
  'coordination.k8s.io': [],
  'discovery.k8s.io': [],
  'events.k8s.io': [],
  extensions: [],
  'flowcontrol.apiserver.k8s.io': [],
  'internal.apiserver.k8s.io': [],
  'node.k8s.io': [],
  policy: [],
  'rbac.authorization.k8s.io': [],
  'resource.k8s.io': [],
  'scheduling.k8s.io': [],
  'storage.k8s.io': [],
  'storagemigration.k8s.io': [],
};

/** Groups whose objects report on others, by the thousand, and name the images that those name. */
const reportGroups: ReadonlySet<string> = new Set([
  'aquasecurity.github.io',
  'custom.metrics.k8s.io',
  'external.metrics.k8s.io',
  'metrics.k8s.io',
  'openreports.io',
  'reports.kyverno.io',
  'spdx.softwarecomposition.kubescape.io',
  'wgpolicyk8s.io',
]);

/** Kinds of which a cluster has one a pod or a node, without an image in them. */
const manyKinds: ReadonlySet<string> = new Set([
  'ciliumendpoints.cilium.io',
  'ciliumendpointslices.cilium.io',
  'ciliumidentities.cilium.io',
  'ciliumnodes.cilium.io',
  'blockaffinities.crd.projectcalico.org',
  'ipamblocks.crd.projectcalico.org',
  'ipamhandles.crd.projectcalico.org',
  'orders.acme.cert-manager.io',
  'challenges.acme.cert-manager.io',
  'certificaterequests.cert-manager.io',
]);

const aggregated =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';

/** The kinds that may hold images, each in the version that the server prefers (kubernetes.io/docs/concepts/overview/kubernetes-api, "Discovery API"). */
export async function findKinds(client: ApiClient, signal: AbortSignal): Promise<FoundKinds> {
  const parts: FoundKinds[] = [];
  for (const path of ['/api', '/apis']) {
    const value = await discover(client, path, signal);
    const isWhole = isObject(value) && value['kind'] === 'APIGroupDiscoveryList';
    parts.push(isWhole ? readAggregated(value) : await readEach(client, value, signal));
  }
  return {
    kinds: parts.flatMap(({ kinds }) => kinds).filter(mayHoldImages),
    silent: parts.flatMap(({ silent }) => silent),
  };
}

async function discover(client: ApiClient, path: string, signal: AbortSignal): Promise<unknown> {
  try {
    return (await client.get(path, signal, aggregated)).value;
  } catch (error) {
    if (!(error instanceof ApiStatus)) throw error;
    const isForbidden = error.status === 403;
    throw new ClusterFailure(
      `the API server of context ${client.target.context} does not say which kinds it has`,
      {
        kind: isForbidden ? 'forbidden' : 'unreachable',
        because: error.message,
        hint: isForbidden
          ? 'the context has no credential, or one without the cluster role system:discovery; kubectl auth whoami says who asks'
          : 'check that server in the kubeconfig is an API server, with its whole path',
      },
    );
  }
}

function mayHoldImages(kind: ClusterKind): boolean {
  const own = ownKinds[kind.group];
  if (own !== undefined) return own.includes(kind.resource);
  return !reportGroups.has(kind.group) && !manyKinds.has(kindLabel(kind));
}

function readAggregated(answer: Readonly<Record<string, unknown>>): FoundKinds {
  const kinds: ClusterKind[] = [];
  const silent: string[] = [];
  for (const item of maps(answer['items'])) {
    const group = text(isObject(item['metadata']) ? item['metadata'] : {}, 'name');
    const [preferred] = maps(item['versions']);
    if (preferred === undefined) continue;
    if (preferred['freshness'] === 'Stale') silent.push(group);
    const version = text(preferred, 'version');
    for (const resource of maps(preferred['resources'])) {
      const kind = isObject(resource['responseKind']) ? text(resource['responseKind'], 'kind') : '';
      if (!listable(resource) || kind === '') continue;
      const name = text(resource, 'resource');
      kinds.push({
        group,
        version,
        resource: name,
        kind,
        namespaced: resource['scope'] === 'Namespaced',
      });
    }
  }
  return { kinds, silent };
}

/** Servers before 1.26, and group by group. */
async function readEach(
  client: ApiClient,
  answer: unknown,
  signal: AbortSignal,
): Promise<FoundKinds> {
  const kinds: ClusterKind[] = [];
  const silent: string[] = [];
  if (!isObject(answer)) return { kinds, silent };
  const groups =
    answer['kind'] === 'APIVersions'
      ? [{ group: '', version: 'v1', path: '/api/v1' }]
      : maps(answer['groups']).map((item) => {
          const preferred = isObject(item['preferredVersion']) ? item['preferredVersion'] : {};
          return {
            group: text(item, 'name'),
            version: text(preferred, 'version'),
            path: `/apis/${text(preferred, 'groupVersion')}`,
          };
        });
  for (const { group, version, path } of groups) {
    try {
      const { value: list } = await client.get(path, signal);
      for (const resource of maps(isObject(list) ? list['resources'] : [])) {
        const name = text(resource, 'name');
        const kind = text(resource, 'kind');
        // `pods/log` and its like belong to an object.
        if (!listable(resource) || name.includes('/')) continue;
        kinds.push({
          group,
          version,
          resource: name,
          kind,
          namespaced: resource['namespaced'] === true,
        });
      }
    } catch (error) {
      signal.throwIfAborted();
      if (group === '' || !(error instanceof ApiStatus) || error.status < 500) throw error;
      silent.push(group);
    }
  }
  return { kinds, silent };
}

function listable(resource: Readonly<Record<string, unknown>>): boolean {
  const { verbs } = resource;
  return Array.isArray(verbs) && verbs.includes('list');
}

function maps(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function text(map: Readonly<Record<string, unknown>>, name: string): string {
  const value = map[name];
  return typeof value === 'string' ? value : '';
}
