import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterKind } from './cluster-kinds.ts';
import { judgePolicy } from './egress-policies.ts';

const kind = (resource: string, group: string): ClusterKind => ({
  group,
  version: 'v1',
  resource,
  kind: 'Policy',
  namespaced: true,
});
const cilium = kind('ciliumnetworkpolicies', 'cilium.io');
const fqdns = (...names: readonly object[]): object => ({
  spec: { egress: [{ toFQDNs: names }, { toPorts: [] }] },
});

const rows: readonly {
  readonly that: string;
  readonly kind: ClusterKind;
  readonly fields: object;
  readonly is?: 'old-host' | 'addresses';
}[] = [
  {
    that: 'Cilium: the old host alone is told.',
    kind: cilium,
    fields: fqdns({ matchName: 'k8s.gcr.io' }, { matchName: 'quay.io' }),
    is: 'old-host',
  },
  {
    that: 'Cilium: with its successor it is not.',
    kind: cilium,
    fields: fqdns({ matchName: 'K8s.gcr.io' }, { matchName: 'registry.k8s.io' }),
  },
  {
    that: 'Cilium: a pattern names the old host too.',
    kind: cilium,
    fields: fqdns({ matchPattern: '*.gcr.io' }),
    is: 'old-host',
  },
  {
    that: 'Cilium: a pattern lets the successor through.',
    kind: cilium,
    fields: fqdns({ matchName: 'k8s.gcr.io' }, { matchPattern: '*.k8s.io' }),
  },
  {
    that: 'Cilium: a pattern with several stars is read.',
    kind: cilium,
    fields: fqdns({ matchPattern: 'k*.g*.io' }, { matchPattern: 'reg*.io.example' }),
    is: 'old-host',
  },
  { that: 'Cilium: a star is every host.', kind: cilium, fields: fqdns({ matchPattern: '*' }) },
  {
    that: 'Cilium: several specs are read.',
    kind: kind('ciliumclusterwidenetworkpolicies', 'cilium.io'),
    fields: { specs: [{}, { egress: [{ toFQDNs: [{ matchName: 'k8s.gcr.io' }] }] }] },
    is: 'old-host',
  },
  {
    that: 'Istio: a ServiceEntry is read.',
    kind: kind('serviceentries', 'networking.istio.io'),
    fields: { spec: { hosts: ['k8s.gcr.io'] } },
    is: 'old-host',
  },
  {
    that: 'Istio: a Sidecar has namespaces before its hosts.',
    kind: kind('sidecars', 'networking.istio.io'),
    fields: { spec: { egress: [{ hosts: ['./k8s.gcr.io', 'istio-system/*.example'] }] } },
    is: 'old-host',
  },
  {
    that: 'Calico: domains of a policy are read.',
    kind: kind('globalnetworkpolicies', 'crd.projectcalico.org'),
    fields: { spec: { egress: [{ destination: { domains: ['k8s.gcr.io'] } }] } },
    is: 'old-host',
  },
  {
    that: 'Calico: domains of a set are read.',
    kind: kind('networksets', 'projectcalico.org'),
    fields: { spec: { allowedEgressDomains: ['k8s.gcr.io', 'registry.k8s.io'] } },
  },
  {
    that: 'NetworkPolicy: ranges of addresses can’t tell.',
    kind: kind('networkpolicies', 'networking.k8s.io'),
    fields: { spec: { egress: [{ to: [{ ipBlock: { cidr: '34.96.0.0/16' } }] }] } },
    is: 'addresses',
  },
  {
    that: 'NetworkPolicy: every address is every registry.',
    kind: kind('networkpolicies', 'networking.k8s.io'),
    fields: { spec: { egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] } },
  },
  {
    that: 'NetworkPolicy: one without ranges says nothing of registries.',
    kind: kind('networkpolicies', 'networking.k8s.io'),
    fields: {
      spec: {
        egress: [{ to: [{ podSelector: {} }] }],
        ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
      },
    },
  },
  { that: 'A policy of another shape is none.', kind: cilium, fields: { spec: { egress: 'all' } } },
];

for (const { that, kind: of, fields, is } of rows)
  test(that, () => {
    const found = judgePolicy(of, { kind: 'Policy', name: 'p' }, fields as Record<string, unknown>);
    assert.equal(found?.finding, is);
    if (found !== undefined) assert.ok(found.names.length > 0);
  });
