// One object of each kind that names images, as clusters have them.

const labels = { app: 'a' };
const container = (image: string, more: object = {}): object => ({ name: 'c', image, ...more });
const template = (spec: object): object => ({ metadata: { labels }, spec });
const selector = { matchLabels: labels };

const named = (name: string, namespace = 'shop', more: object = {}): object => ({
  name,
  namespace,
  ...more,
});
const owner = (kind: string, name: string): object => ({
  ownerReferences: [
    {
      apiVersion: kind === 'Node' ? 'v1' : 'apps/v1',
      kind,
      name,
      uid: '00000000-0000-0000-0000-000000000001',
      controller: true,
    },
  ],
});

function customKind(group: string, kind: string, plural: string, version: string): object {
  const schema = {
    openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}

export const customKinds: readonly object[] = [
  customKind('argoproj.io', 'Rollout', 'rollouts', 'v1alpha1'),
  customKind('argoproj.io', 'Application', 'applications', 'v1alpha1'),
  customKind('monitoring.coreos.com', 'Prometheus', 'prometheuses', 'v1'),
  customKind('helm.toolkit.fluxcd.io', 'HelmRelease', 'helmreleases', 'v2'),
  customKind('source.toolkit.fluxcd.io', 'OCIRepository', 'ocirepositories', 'v1'),
  customKind('cilium.io', 'CiliumNetworkPolicy', 'ciliumnetworkpolicies', 'v2'),
  customKind('networking.istio.io', 'ServiceEntry', 'serviceentries', 'v1'),
  customKind('wgpolicyk8s.io', 'PolicyReport', 'policyreports', 'v1alpha2'),
];

export const clusterObjects: readonly object[] = [
  ...['shop', 'tools'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  ...['n1', 'n2'].map((name) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } })),
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: named('web'),
    spec: {
      selector,
      template: template({
        initContainers: [{ name: 'i', image: 'k8s.gcr.io/pause:3.5' }],
        containers: [
          container('docker.io/library/nginx:1.27', {
            env: [
              {
                name: 'RELATED_IMAGE_RELOADER',
                value: 'ghcr.io/jimmidyson/configmap-reload:v0.14.0',
              },
            ],
            args: ['--acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:v1.18.2'],
          }),
        ],
      }),
    },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: named('web-1', 'shop', owner('Deployment', 'web')),
    spec: {
      selector,
      template: template({ containers: [container('docker.io/library/nginx:1.26')] }),
    },
  },
  ...['web-1-a', 'web-1-b'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: named(name, 'shop', owner('ReplicaSet', 'web-1')),
    spec: {
      initContainers: [{ name: 'i', image: 'k8s.gcr.io/pause:3.5' }],
      containers: [
        container('docker.io/library/nginx:1.27'),
        { name: 'istio-proxy', image: 'docker.io/istio/proxyv2:1.25.0' },
        { name: 'old', image: 'k8s.gcr.io/pause:3.5' },
      ],
    },
  })),
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: named('debugged'),
    spec: {
      containers: [container('bitnami/redis:7.2.4')],
      volumes: [{ name: 'model', image: { reference: 'quay.io/models/llama:3' } }],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: named('etcd-n1', 'shop', {
      ...owner('Node', 'n1'),
      annotations: { 'kubernetes.io/config.mirror': 'x' },
    }),
    spec: { nodeName: 'n1', containers: [container('registry.k8s.io/etcd:3.6.4-0')] },
  },
  ...(['StatefulSet', 'DaemonSet'] as const).map((kind) => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: named('set'),
    spec: {
      selector,
      ...(kind === 'StatefulSet' && { serviceName: 's' }),
      template: template({ containers: [container(`quay.io/sets/${kind.toLowerCase()}:1`)] }),
    },
  })),
  {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: named('lone'),
    spec: {
      selector,
      template: template({ containers: [container('quay.io/sets/replicaset:1')] }),
    },
  },
  {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: named('rc'),
    spec: {
      selector: labels,
      template: template({ containers: [container('quay.io/sets/rc:1')] }),
    },
  },
  {
    apiVersion: 'v1',
    kind: 'PodTemplate',
    metadata: named('template'),
    template: template({ containers: [container('quay.io/sets/podtemplate:1')] }),
  },
  {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: named('once', 'tools'),
    spec: {
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [container('registry.k8s.io/kubectl:v1.36.0')],
        },
      },
    },
  },
  {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: named('nightly'),
    spec: {
      schedule: '@daily',
      jobTemplate: {
        spec: {
          template: {
            spec: {
              restartPolicy: 'Never',
              containers: [container('gcr.io/kubebuilder/kube-rbac-proxy:v0.13.1')],
            },
          },
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: named('injector'),
    data: { 'values.yaml': 'proxy:\n  image: docker.io/istio/pilot:1.25.0\n' },
  },
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: named('canary'),
    spec: {
      template: template({ containers: [container('quay.io/argoproj/rollouts-demo:blue')] }),
    },
  },
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: named('app'),
    spec: {
      source: { kustomize: { images: ['quay.io/argoproj/argocd=quay.io/argoproj/argocd:v3.1.0'] } },
    },
  },
  {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'Prometheus',
    metadata: named('k8s'),
    spec: { image: 'quay.io/prometheus/prometheus:v3.5.0' },
  },
  {
    apiVersion: 'helm.toolkit.fluxcd.io/v2',
    kind: 'HelmRelease',
    metadata: named('nats'),
    spec: {
      values: {
        container: { image: { registry: 'docker.io', repository: 'nats', tag: '2.11.0' } },
      },
    },
  },
  {
    apiVersion: 'source.toolkit.fluxcd.io/v1',
    kind: 'OCIRepository',
    metadata: named('podinfo'),
    spec: { url: 'oci://ghcr.io/stefanprodan/manifests/podinfo', ref: { tag: 'latest' } },
  },
  {
    apiVersion: 'wgpolicyk8s.io/v1alpha2',
    kind: 'PolicyReport',
    metadata: named('report'),
    results: [{ containers: [container('quay.io/reports/not-read:1')] }],
  },
  {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: named('builders'),
    spec: { egress: [{ toFQDNs: [{ matchName: 'k8s.gcr.io' }] }] },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: named('registries'),
    spec: { hosts: ['k8s.gcr.io', 'registry.k8s.io'] },
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: named('ranges'),
    spec: {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [{ to: [{ ipBlock: { cidr: '34.96.0.0/16' } }] }],
    },
  },
];
