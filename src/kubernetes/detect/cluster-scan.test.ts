import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiStatus } from '../client/api-client.ts';
import type { ApiClient } from '../client/api-client.ts';
import { ClusterFailure } from '../client/cluster-failure.ts';
import { AnswerTooLate } from '../client/wire.ts';
import { scanCluster } from './cluster-scan.ts';
import type { ClusterScan, ClusterScanOptions } from './cluster-scan.ts';

type Answer = object | ApiStatus | ClusterFailure;

/** By path without its query; of several answers one a request, the last again and again. */
type Answers = Readonly<Record<string, Answer | readonly Answer[]>>;

const never = new AbortController().signal;

function clientOf(answers: Answers): ApiClient & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    target: {
      context: 'prod',
      server: new URL('https://prod.example'),
      ca: undefined,
      insecure: false,
      serverName: undefined,
      proxyUrl: undefined,
      namespace: undefined,
      user: { fields: { where: 'user', values: {} }, folder: '/' },
    },
    async get(path) {
      await Promise.resolve();
      const [plain = ''] = path.split('?');
      const times = asked.filter((each) => each.split('?')[0] === plain).length;
      asked.push(path);
      const all = answers[plain] ?? { items: [] };
      const answer: Answer = Array.isArray(all)
        ? (all[Math.min(times, all.length - 1)] as Answer)
        : all;
      if (answer instanceof Error) throw answer;
      return { value: answer, characters: JSON.stringify(answer).length };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const late = new ClusterFailure('it is late', {
  kind: 'unreachable',
  hint: '-',
  cause: new AnswerTooLate('no answer within 30 s'),
});

interface Listed {
  readonly resource: string;
  readonly kind: string;
  readonly namespaced?: boolean;
}

function group(name: string, listed: readonly Listed[], freshness = 'Current'): object {
  const resources = listed.map(({ resource, kind, namespaced = true }) => ({
    resource,
    responseKind: { kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    verbs: ['get', 'list'],
  }));
  return { metadata: { name }, versions: [{ version: 'v1', freshness, resources }] };
}
const discovery = (...groups: readonly object[]): object => ({
  kind: 'APIGroupDiscoveryList',
  items: groups,
});
const pods = { resource: 'pods', kind: 'Pod' };
const core = discovery(group('', [pods]));
const apps = group('apps', [
  { resource: 'deployments', kind: 'Deployment' },
  { resource: 'replicasets', kind: 'ReplicaSet' },
]);

function item(
  name: string,
  images: readonly string[],
  owner?: readonly [kind: string, name: string],
): object {
  return {
    metadata: {
      name,
      namespace: 'n',
      ...(owner && { ownerReferences: [{ kind: owner[0], name: owner[1], controller: true }] }),
    },
    spec: { containers: images.map((image) => ({ image })) },
  };
}
const list = (items: readonly object[], next = ''): object => ({
  metadata: { continue: next },
  items,
});

/** `image count: place, place +more` */
function shown({ inventory }: ClusterScan): readonly string[] {
  return inventory
    .images(() => ({ flags: [], becomes: null, reason: null }))
    .map(({ image, count, places, morePlaces }) => {
      const names = places.map((place) =>
        'file' in place ? place.file : `${place.kind} ${place.name}`,
      );
      return `${image} ${count}: ${names.join(', ')}${morePlaces === 0 ? '' : ` +${morePlaces}`}`;
    });
}

const rows: readonly {
  readonly that: string;
  readonly answers: Answers;
  readonly options?: ClusterScanOptions;
  readonly is: readonly string[];
  readonly notRead?: readonly string[];
}[] = [
  {
    that: 'Pods of a Deployment count there, through their ReplicaSet.',
    answers: {
      '/api': core,
      '/apis': discovery(apps),
      '/apis/apps/v1/deployments': list([item('web', ['a:1'])]),
      '/apis/apps/v1/replicasets': list([item('web-1', ['a:0'], ['Deployment', 'web'])]),
      '/api/v1/pods': list([
        item('web-1-x', ['a:1', 'side:1'], ['ReplicaSet', 'web-1']),
        item('web-1-y', ['a:1', 'side:1'], ['ReplicaSet', 'web-1']),
      ]),
    },
    is: ['a:1 2: Deployment web', 'side:1 2: Pod web-1-x'],
  },
  {
    that: 'Where owners may not be listed pods are the place, once for each owner.',
    answers: {
      '/api': core,
      '/apis': discovery(apps),
      '/apis/apps/v1/deployments': new ApiStatus(403, 'forbidden', undefined),
      '/apis/apps/v1/replicasets': new ApiStatus(403, 'forbidden', undefined),
      '/api/v1/pods': list([
        item('x', ['a:1'], ['ReplicaSet', 'web-1']),
        item('y', ['a:1'], ['ReplicaSet', 'web-1']),
        item('z', ['a:1'], ['ReplicaSet', 'web-2']),
      ]),
    },
    is: ['a:1 3: Pod x, Pod z'],
    notRead: [
      'deployments.apps: this user may not list it',
      'replicasets.apps: this user may not list it',
    ],
  },
  {
    that: 'A list that begins anew counts once.',
    answers: {
      '/api': core,
      '/api/v1/pods': [
        list([item('x', ['a:1']), item('y', ['a:1'])], 't'),
        new ApiStatus(410, 'expired', undefined),
        list([item('y', ['a:1'])]),
      ],
    },
    is: ['a:1 1: Pod y'],
  },
  {
    that: 'One that goes on counts what came before too.',
    answers: {
      '/api': core,
      '/api/v1/pods': [
        list([item('x', ['a:1'])], 't'),
        new ApiStatus(410, 'expired', 't2'),
        list([item('y', ['a:1'])]),
      ],
    },
    is: ['a:1 2: Pod x, Pod y'],
  },
  {
    that: 'Of very many places a hundred are kept, and the others counted.',
    answers: {
      '/api': core,
      '/api/v1/pods': list(Array.from({ length: 250 }, (_, n) => item(`p${n}`, ['a:1']))),
    },
    is: [`a:1 250: ${Array.from({ length: 100 }, (_, n) => `Pod p${n}`).join(', ')} +150`],
  },
  {
    that: 'What is over does not count.',
    answers: {
      '/api': core,
      '/api/v1/pods': list([{ ...item('x', ['a:1']), status: { phase: 'Succeeded' } }]),
    },
    is: ['a:1 0: Pod x'],
  },
  {
    that: 'A server that lists its groups one by one is asked so, and a group whose server is away is named.',
    answers: {
      '/api': { kind: 'APIVersions', versions: ['v1'] },
      '/api/v1': {
        resources: [
          { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['list'] },
          { name: 'pods/log', kind: 'Pod', namespaced: true, verbs: ['get', 'list'] },
        ],
      },
      '/apis': {
        kind: 'APIGroupList',
        groups: [
          {
            name: 'away.example',
            preferredVersion: { groupVersion: 'away.example/v1', version: 'v1' },
          },
        ],
      },
      '/apis/away.example/v1': new ApiStatus(503, 'no endpoints', undefined),
      '/api/v1/pods': list([item('x', ['a:1'])]),
    },
    is: ['a:1 1: Pod x'],
    notRead: ['away.example: the server of this group does not answer'],
  },
  {
    that: 'Discovery that is stale is named.',
    answers: {
      '/api': core,
      '/apis': discovery(group('away.example', [], 'Stale')),
      '/api/v1/pods': list([item('x', ['a:1'])]),
    },
    is: ['a:1 1: Pod x'],
    notRead: ['away.example: the server of this group does not answer'],
  },
  {
    that: 'Kinds that report on others are not listed, custom ones are.',
    answers: {
      '/api': core,
      '/apis': discovery(
        group('aquasecurity.github.io', [
          { resource: 'vulnerabilityreports', kind: 'VulnerabilityReport' },
        ]),
        group('example.org', [{ resource: 'things', kind: 'Thing' }]),
        group('rbac.authorization.k8s.io', [{ resource: 'roles', kind: 'Role' }]),
      ),
      '/apis/aquasecurity.github.io/v1/vulnerabilityreports': list([item('v', ['v:1'])]),
      '/apis/example.org/v1/things': list([item('t', ['t:1'])]),
      '/apis/rbac.authorization.k8s.io/v1/roles': list([item('r', ['r:1'])]),
    },
    is: ['t:1 0: Thing t'],
  },
  {
    that: 'A kind whose conversion or server fails, whose list is broken or whose server is stuck ends nothing.',
    answers: {
      '/api': core,
      '/apis': discovery(
        group('example.org', [
          { resource: 'converted', kind: 'Converted' },
          { resource: 'loops', kind: 'Loop' },
          { resource: 'stuck', kind: 'Stuck' },
        ]),
      ),
      '/apis/example.org/v1/converted': new ApiStatus(500, 'conversion webhook failed', undefined),
      '/apis/example.org/v1/loops': list([], 'same'),
      '/apis/example.org/v1/stuck': late,
      '/api/v1/pods': list([item('x', ['a:1'])]),
    },
    is: ['a:1 1: Pod x'],
    notRead: [
      'converted.example.org: conversion webhook failed',
      'loops.example.org: the list /apis/example.org/v1/loops of context prod hands out pages that lead nowhere',
      'stuck.example.org: no answer within 30 s',
    ],
  },
  {
    that: 'In one namespace what belongs to none is not read.',
    options: { namespace: 'a b' },
    answers: {
      '/api': discovery(group('', [pods, { resource: 'nodes', kind: 'Node', namespaced: false }])),
      '/api/v1/nodes': list([
        { metadata: { name: 'n1' }, status: { images: [{ names: ['x:1'] }] } },
      ]),
      '/api/v1/namespaces/a%20b/pods': list([item('x', ['a:1'])]),
    },
    is: ['a:1 1: Pod x'],
  },
  {
    that: 'A Secret that is no release is named, without what is in it.',
    options: { helmSecrets: true },
    answers: {
      '/api': core,
      '/api/v1/secrets': list([
        { metadata: { name: 's', namespace: 'n' }, data: { release: 'c2VjcmV0' } },
      ]),
      '/api/v1/pods': list([item('x', ['a:1'])]),
    },
    is: ['a:1 1: Pod x'],
    notRead: ['Secret n/s: it holds no Helm release'],
  },
];

for (const { that, answers, options = {}, is, notRead = [] } of rows)
  test(that, async () => {
    const scan = await scanCluster(clientOf(answers), options, never);
    assert.deepEqual(shown(scan), is);
    assert.deepEqual(scan.notRead.map(({ what, why }) => `${what}: ${why}`).toSorted(), notRead);
  });

test('Secrets are listed only where they were asked for, and those of Helm alone.', async () => {
  const answers = { '/api': discovery(group('', [pods, { resource: 'secrets', kind: 'Secret' }])) };
  const without = clientOf(answers);
  await scanCluster(without, {}, never);
  assert.ok(!without.asked.some((path) => path.includes('secrets')));
  const client = clientOf(answers);
  await scanCluster(client, { helmSecrets: true }, never);
  assert.deepEqual(
    client.asked.filter((path) => path.includes('secrets')),
    ['/api/v1/secrets?limit=5&labelSelector=owner%3Dhelm%2Cstatus%3Ddeployed'],
  );
});

test('A server without discovery is no API server, and who may not see it is told so.', async () => {
  for (const [status, kind] of [
    [404, 'unreachable'],
    [403, 'forbidden'],
  ] as const) {
    const client = clientOf({ '/api': new ApiStatus(status, 'no', undefined) });
    await assert.rejects(scanCluster(client, {}, never), { name: 'ClusterFailure', kind });
  }
});

test('An API server that is stuck itself, or of which every list fails, is no cluster without images.', async () => {
  const stuck = { '/api': core, '/api/v1/pods': late };
  await assert.rejects(scanCluster(clientOf(stuck), {}, never), /it is late/);
  const failing = { '/api': core, '/api/v1/pods': new ApiStatus(500, 'etcd is gone', undefined) };
  await assert.rejects(scanCluster(clientOf(failing), {}, never), {
    message: 'no list of the cluster of context prod can be read',
    because: 'etcd is gone',
  });
});

test('Who may list nothing gets an error that names the context.', async () => {
  const answers = { '/api': core, '/api/v1/pods': new ApiStatus(403, 'forbidden', undefined) };
  await assert.rejects(
    scanCluster(clientOf(answers), {}, never),
    /may list nothing .* context prod/,
  );
});
