import { ApiStatus } from '../client/api-client.ts';
import type { ApiClient } from '../client/api-client.ts';
import { ClusterFailure } from '../client/cluster-failure.ts';
import { listPages } from '../client/list-pages.ts';
import { AnswerTooLate } from '../client/wire.ts';
import type { ListQuery } from '../client/list-pages.ts';
import { findKinds, kindLabel } from './cluster-kinds.ts';
import type { ClusterKind } from './cluster-kinds.ts';
import type { DetectedPolicy, HubEstimate, NotRead } from './detection.ts';
import { isEgressPolicy, judgePolicy } from './egress-policies.ts';
import { readHelmRelease, usesOfRelease } from './helm-releases.ts';
import { createHubPulls } from './hub-pulls.ts';
import type { HubPulls } from './hub-pulls.ts';
import { createInventory } from './inventory.ts';
import type { Inventory } from './inventory.ts';
import { createNodeImages } from './node-images.ts';
import type { NodeImages } from './node-images.ts';
import { createOwners, nameOf, usesOfObject, usesOfPod } from './object-uses.ts';
import type { Owners } from './object-uses.ts';

export interface ClusterScan {
  readonly inventory: Inventory;
  readonly notRead: readonly NotRead[];
  readonly policies: readonly DetectedPolicy[];
  /** `null` where no pod uses Docker Hub. */
  readonly dockerHub: HubEstimate | null;
}

export interface ClusterScanOptions {
  /** One namespace; absent: all, and what belongs to none. */
  readonly namespace?: string;
  /** Also the Secrets in which Helm keeps its releases. */
  readonly helmSecrets?: boolean;
}

const policiesMax = 1000;
/** Kinds whose server may be stuck. */
const lateMax = 3;
/** Kinds that are listed at once. */
const listsAtOnce = 4;
/** Listed only by `helmSecrets`, and only those of Helm. */
const secrets: ClusterKind = {
  group: '',
  version: 'v1',
  resource: 'secrets',
  kind: 'Secret',
  namespaced: true,
};
/** Made by others, whose names have to be known before pods are read. */
const madeByOthers: ReadonlySet<string> = new Set(['replicasets.apps', 'jobs.batch']);

/** Reads every kind that may hold images, page by page; a kind that may not be listed is named, and ends nothing. */
export async function scanCluster(
  client: ApiClient,
  { namespace, helmSecrets }: ClusterScanOptions,
  signal: AbortSignal,
): Promise<ClusterScan> {
  const { kinds, silent } = await findKinds(client, signal);
  const state: State = {
    client,
    namespace,
    signal,
    inventory: createInventory(),
    owners: createOwners(),
    nodes: createNodeImages(),
    failed: 0,
    forbidden: 0,
    late: 0,
    policies: [],
    hubPulls: createHubPulls(Date.now()),
    notRead: silent.map((group) => ({
      what: group,
      why: 'the server of this group does not answer',
    })),
  };
  const wanted = kinds.filter(({ namespaced }) => namespace === undefined || namespaced);
  const [pods, others] = [wanted.filter(isPod), wanted.filter((kind) => !isPod(kind))];
  await readAll(others, state);
  if (helmSecrets === true) await readKind(secrets, state);
  // What pods have that no owner names is seen once the owners were read.
  await readAll(pods, state);
  requireSomething(wanted.length, state);
  for (const use of state.nodes.unused(state.inventory)) state.inventory.add(use);
  return {
    inventory: state.inventory,
    notRead: state.notRead,
    policies: state.policies,
    dockerHub: state.hubPulls.estimate(),
  };
}

interface State {
  readonly client: ApiClient;
  readonly namespace: string | undefined;
  readonly signal: AbortSignal;
  readonly inventory: Inventory;
  readonly owners: Owners;
  readonly nodes: NodeImages;
  readonly notRead: NotRead[];
  /** Kinds that could not be read; of these, those that this user may not list, and those whose server was too late. */
  failed: number;
  forbidden: number;
  late: number;
  readonly policies: DetectedPolicy[];
  hubPulls: HubPulls;
}

function isPod({ group, resource }: ClusterKind): boolean {
  return group === '' && resource === 'pods';
}

async function readAll(kinds: readonly ClusterKind[], state: State): Promise<void> {
  const waiting = [...kinds];
  const worker = async (): Promise<void> => {
    for (let kind = waiting.shift(); kind !== undefined; kind = waiting.shift())
      await readKind(kind, state);
  };
  await Promise.all(Array.from({ length: listsAtOnce }, worker));
}

async function readKind(kind: ClusterKind, state: State): Promise<void> {
  try {
    const own = await readList(kind, kindLabel(kind), state);
    state.inventory.addAll(own);
  } catch (error) {
    const why = whyNotRead(error, kind, state);
    if (why === undefined) throw error;
    state.failed += 1;
    state.notRead.push({ what: kindLabel(kind), why });
  }
}

/** `undefined` where it is no fault of this kind alone. */
function whyNotRead(error: unknown, { group }: ClusterKind, state: State): string | undefined {
  if (error instanceof ApiStatus) {
    if (error.status !== 403) return error.message;
    state.forbidden += 1;
    return 'this user may not list it';
  }
  if (!(error instanceof ClusterFailure)) return undefined;
  if (error.kind === 'list') return error.message;
  // A group with a server of its own may be stuck; a server that is stuck itself is not waited for again and again.
  if (!(error.cause instanceof AnswerTooLate) || !group.includes('.')) return undefined;
  state.late += 1;
  return state.late > lateMax ? undefined : error.cause.message;
}

function requireSomething(
  wanted: number,
  { client, namespace, failed, forbidden, notRead }: State,
): void {
  if (wanted === 0 || failed < wanted) return;
  const { context } = client.target;
  if (forbidden < failed)
    throw new ClusterFailure(`no list of the cluster of context ${context} can be read`, {
      kind: 'unreachable',
      hint: 'the API server or what is behind it fails; kubectl get --raw /readyz?verbose says what',
      because: notRead.find(({ why }) => !why.startsWith('this user'))?.why ?? 'unknown',
    });
  throw new ClusterFailure(`this user may list nothing in the cluster of context ${context}`, {
    kind: 'forbidden',
    hint:
      namespace === undefined
        ? 'ask for one namespace with -n, or for the cluster role view'
        : 'ask for the role view in this namespace',
  });
}

/** Of a list that had to begin anew the last reading counts alone. */
async function readList(kind: ClusterKind, label: string, state: State): Promise<Inventory> {
  let own = createInventory();
  const pages = listPages(
    state.client,
    pathOf(kind, state.namespace),
    queryOf(label),
    state.signal,
  );
  for await (const { items, isFirst } of pages) {
    if (isFirst) {
      own = createInventory();
      if (isPod(kind)) state.hubPulls = createHubPulls(Date.now());
    }
    for (const item of items) {
      const object = nameOf(item, kind.kind);
      // Items of a list do not say what they are.
      const fields = { kind: kind.kind, apiVersion: apiVersionOf(kind), ...item };
      if (isPod(kind)) {
        state.hubPulls.note(fields);
        for (const use of usesOfPod(fields, object, state)) own.add(use);
      } else if (isEgressPolicy(kind)) notePolicy(judgePolicy(kind, object, fields), state);
      else if (kind === secrets) addRelease(item, own, state);
      else if (label === 'nodes') state.nodes.note(object.name, fields);
      else if (!madeByOthers.has(label) || !state.owners.note(object, fields))
        for (const use of usesOfObject(fields, object)) own.add(use);
    }
  }
  return own;
}

function addRelease(
  secret: Readonly<Record<string, unknown>>,
  own: Inventory,
  { notRead }: State,
): void {
  const { namespace, name } = nameOf(secret, 'Secret');
  try {
    for (const use of usesOfRelease(readHelmRelease(secret))) own.add(use);
  } catch {
    // What the error says may be a part of a secret.
    notRead.push({ what: `Secret ${namespace}/${name}`, why: 'it holds no Helm release' });
  }
}

/** Of a list that began anew some may be there already. */
function notePolicy(found: DetectedPolicy | undefined, { policies }: State): void {
  if (found === undefined || policies.length >= policiesMax) return;
  const { kind, namespace, name } = found;
  const isKnown = policies.some(
    (each) => each.kind === kind && each.namespace === namespace && each.name === name,
  );
  if (!isKnown) policies.push(found);
}

function pathOf({ group, version, resource, namespaced }: ClusterKind, namespace?: string): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const within =
    namespace !== undefined && namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${within}/${resource}`;
}

function apiVersionOf({ group, version }: ClusterKind): string {
  return group === '' ? version : `${group}/${version}`;
}

function queryOf(label: string): ListQuery {
  // The certificate of the cluster, in every namespace.
  if (label === 'configmaps') return { fieldSelector: 'metadata.name!=kube-root-ca.crt' };
  // Up to 1 MiB each.
  if (label === 'secrets') return { limit: 5, labelSelector: 'owner=helm,status=deployed' };
  return {};
}
