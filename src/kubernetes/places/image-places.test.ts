import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imagePlaces } from './image-places.ts';
import type { ImagePlace } from './image-place.ts';
import { fieldText } from './image-place.ts';

/** `field = image`, with what makes it no plain image behind it. */
function lines(places: readonly ImagePlace[]): readonly string[] {
  return places.map(({ path, image, review, form }) =>
    [`${fieldText(path)} = ${image}`, review, form]
      .filter((part) => part !== undefined)
      .join(' | '),
  );
}

const pod = (name: string): unknown => ({
  containers: [{ name: 'a', image: `${name}:1` }],
  initContainers: [{ name: 'b', image: `quay.io/${name}@sha256:${'a'.repeat(64)}` }],
  ephemeralContainers: [{ name: 'c', image: name }],
  volumes: [
    { name: 'v', image: { reference: `ghcr.io/${name}:v`, pullPolicy: 'Always' } },
    { name: 'w', configMap: { name: 'image' } },
  ],
});
const podLines = (at: string, name: string): readonly string[] => [
  `${at}containers[0].image = ${name}:1`,
  `${at}initContainers[0].image = quay.io/${name}@sha256:${'a'.repeat(64)}`,
  `${at}ephemeralContainers[0].image = ${name}`,
  `${at}volumes[0].image.reference = ghcr.io/${name}:v`,
];

interface Row {
  readonly title: string;
  readonly object: unknown;
  readonly places: readonly string[];
}

const templated = [
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'ReplicationController',
  'Job',
];

const rows: readonly Row[] = [
  {
    title: 'A Pod has containers of three lists and volumes of images.',
    object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: pod('nginx') },
    places: podLines('spec.', 'nginx'),
  },
  ...templated.map((kind) => ({
    title: `A ${kind} has them in its template.`,
    object: { apiVersion: 'apps/v1', kind, spec: { template: { spec: pod('app') } } },
    places: podLines('spec.template.spec.', 'app'),
  })),
  {
    title: 'A PodTemplate has its template at the root.',
    object: { apiVersion: 'v1', kind: 'PodTemplate', template: { spec: pod('app') } },
    places: podLines('template.spec.', 'app'),
  },
  {
    title: 'A CronJob has them in the template of its Job.',
    object: {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      spec: { jobTemplate: { spec: { template: { spec: pod('app') } } } },
    },
    places: podLines('spec.jobTemplate.spec.template.spec.', 'app'),
  },
  {
    title: 'A List has those of its items.',
    object: {
      apiVersion: 'v1',
      kind: 'List',
      items: [
        { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ image: 'a' }] } },
        { apiVersion: 'v1', kind: 'ConfigMap', data: {} },
        { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ image: 'b' }] } },
      ],
    },
    places: ['items[0].spec.containers[0].image = a', 'items[2].spec.containers[0].image = b'],
  },
  {
    title: 'A list of the API names the kind of its items once.',
    object: {
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusList',
      items: [{ spec: { image: 'quay.io/prometheus/prometheus:v3' } }],
    },
    places: ['items[0].spec.image = quay.io/prometheus/prometheus:v3'],
  },
  {
    title: 'A kind that nobody knows has what its lists of containers name, however deep.',
    object: {
      apiVersion: 'example.com/v1',
      kind: 'Group',
      spec: {
        workers: [{ podTemplate: { spec: { containers: [{ image: 'rayproject/ray:2' }] } } }],
      },
    },
    places: ['spec.workers[0].podTemplate.spec.containers[0].image = rayproject/ray:2'],
  },
  {
    title: 'What a status says is nothing that is asked for.',
    object: { apiVersion: 'v1', kind: 'Pod', spec: {}, status: { containers: [{ image: 'x:1' }] } },
    places: [],
  },
  {
    title: 'The schema of a custom resource and the data of a secret are not looked at.',
    object: {
      kind: 'List',
      items: [
        { kind: 'CustomResourceDefinition', spec: { containers: [{ image: 'x:1' }] } },
        { kind: 'Secret', stringData: { image: 'quay.io/a/b:1' } },
      ],
    },
    places: [],
  },
  {
    title: 'An Argo Workflow has containers, scripts and sidecars.',
    object: {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Workflow',
      spec: {
        templates: [
          { container: { image: 'a:1' } },
          { script: { image: 'b:1' }, sidecars: [{ image: 'c:1' }] },
          { containerSet: { containers: [{ image: 'd:1' }] } },
        ],
      },
    },
    places: [
      'spec.templates[0].container.image = a:1',
      'spec.templates[1].script.image = b:1',
      'spec.templates[1].sidecars[0].image = c:1',
      'spec.templates[2].containerSet.containers[0].image = d:1',
    ],
  },
  {
    title: 'Special fields hold for the group of their kind alone.',
    object: { apiVersion: 'example.com/v1', kind: 'Prometheus', spec: { image: 'a:1' } },
    places: [],
  },
  {
    title: 'A Tekton Pipeline has the steps of its tasks.',
    object: {
      apiVersion: 'tekton.dev/v1',
      kind: 'Pipeline',
      spec: {
        tasks: [{ taskSpec: { steps: [{ image: 'a:1' }], stepTemplate: { image: 'b:1' } } }],
      },
    },
    places: [
      'spec.tasks[0].taskSpec.steps[0].image = a:1',
      'spec.tasks[0].taskSpec.stepTemplate.image = b:1',
    ],
  },
  {
    title: 'kubeadm’s repositories of images are no single image.',
    object: {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      imageRepository: 'registry.k8s.io',
      etcd: { local: { imageRepository: 'registry.k8s.io' } },
      dns: { imageRepository: 'registry.k8s.io/coredns' },
    },
    places: [
      'imageRepository = registry.k8s.io | prefix',
      'etcd.local.imageRepository = registry.k8s.io | prefix',
      'dns.imageRepository = registry.k8s.io/coredns | prefix',
    ],
  },
  {
    title: 'A package of Crossplane is an artifact.',
    object: {
      apiVersion: 'pkg.crossplane.io/v1',
      kind: 'Provider',
      spec: { package: 'xpkg.crossplane.io/crossplane-contrib/provider-aws:v1' },
    },
    places: ['spec.package = xpkg.crossplane.io/crossplane-contrib/provider-aws:v1 | artifact'],
  },
  {
    title: 'An annotation of Istio names the sidecar’s image.',
    object: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        annotations: {
          'kubectl.kubernetes.io/last-applied-configuration': '{"image":"quay.io/a/b:1"}',
        },
      },
      spec: {
        template: {
          metadata: { annotations: { 'sidecar.istio.io/proxyImage': 'docker.io/istio/proxyv2:1' } },
        },
      },
    },
    places: [
      'spec.template.metadata.annotations["sidecar.istio.io/proxyImage"] = docker.io/istio/proxyv2:1',
    ],
  },
  {
    title: 'Environment and arguments are for review, URLs and file names are nothing.',
    object: {
      kind: 'Pod',
      spec: {
        containers: [
          {
            image: 'quay.io/jetstack/cert-manager-controller:v1',
            args: [
              '--acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:v1',
              '--image=busybox:1.36',
              '--url=https://quay.io/v2/a:1',
              '--config=/etc/app.d/config.yaml:ro',
            ],
            env: [
              { name: 'RELATED_IMAGE_PROXY', value: 'grafana/grafana:11.0.0' },
              { name: 'IMAGE_PULL_POLICY', value: 'a:1' },
              { name: 'HOME', valueFrom: { fieldRef: { fieldPath: 'a' } } },
            ],
          },
        ],
      },
    },
    places: [
      'spec.containers[0].image = quay.io/jetstack/cert-manager-controller:v1',
      'spec.containers[0].env[0].value = grafana/grafana:11.0.0 | environment',
      'spec.containers[0].args[0] = quay.io/jetstack/cert-manager-acmesolver:v1 | argument',
      'spec.containers[0].args[1] = busybox:1.36 | argument',
    ],
  },
  {
    title: 'Images in the text of a ConfigMap are for review.',
    object: {
      kind: 'ConfigMap',
      data: { 'app.yaml': 'image: k8s.gcr.io/pause\nother: registry.example.com/a/b:1 # c' },
    },
    places: [
      'data["app.yaml"] = k8s.gcr.io/pause | text',
      'data["app.yaml"] = registry.example.com/a/b:1 | text',
    ],
  },
  {
    title: 'A Flux HelmRelease has the shapes of values.',
    object: {
      apiVersion: 'helm.toolkit.fluxcd.io/v2',
      kind: 'HelmRelease',
      spec: { values: { image: { registry: 'docker.io', repository: 'nats', tag: '2.10' } } },
    },
    places: ['spec.values.image = docker.io/nats:2.10'],
  },
  {
    title: 'A kustomization’s new name is an image, and the name that it looks for is for review.',
    object: {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      images: [
        { name: 'nginx', newName: 'quay.io/nginx/nginx', newTag: '1' },
        { name: 'redis', newTag: '7' },
      ],
    },
    places: [
      'images[0].name = nginx | matched name',
      'images[0] = quay.io/nginx/nginx:1',
      'images[1] = redis:7 | matched name',
    ],
  },
];

for (const { title, object, places } of rows)
  test(title, () => assert.deepEqual(lines(imagePlaces(object)), places));

for (const [title, object] of [
  ['nothing', undefined],
  ['null', null],
  ['a text', 'image: x'],
  ['containers that are none', { kind: 'Pod', spec: { containers: 'x', volumes: { image: 1 } } }],
  ['containers of odd values', { kind: 'Pod', spec: { containers: [null, 1, [], { image: 7 }] } }],
] as const)
  test(`Of ${title} there are no places.`, () => assert.deepEqual(imagePlaces(object), []));

test('An object that holds itself is read once.', () => {
  const object: Record<string, unknown> = { kind: 'X', spec: { containers: [{ image: 'a:1' }] } };
  object['self'] = object;
  assert.deepEqual(lines(imagePlaces(object)), ['spec.containers[0].image = a:1']);
});

test('Nesting without end is read to a bound.', () => {
  let object: unknown = { containers: [{ image: 'deep:1' }] };
  for (let depth = 0; depth < 100_000; depth += 1) object = { a: object };
  assert.deepEqual(imagePlaces(object), []);
});

test('Five thousand pods take well under a second.', () => {
  const pods = Array.from({ length: 5000 }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${index}`, managedFields: [{ fieldsV1: { 'f:spec': {} } }] },
    spec: pod(`app${index}`),
    status: { containerStatuses: [{ image: 'x' }] },
  }));
  const begun = performance.now();
  const places = imagePlaces({ kind: 'PodList', items: pods });
  const took = performance.now() - begun;
  assert.equal(places.length, 20_000);
  assert.ok(took < 1000, `${took.toFixed(0)} ms`);
});
