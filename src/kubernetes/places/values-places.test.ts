import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldText } from './image-place.ts';
import { parameterPlaces, valuesPlaces } from './values-places.ts';

interface Row {
  readonly title: string;
  readonly values: unknown;
  readonly places: readonly string[];
}

const rows: readonly Row[] = [
  {
    title: 'A whole reference is an image.',
    values: { image: 'quay.io/a/b:1', sidecarImage: 'busybox:1.36', other: { image: 'a/b' } },
    places: [
      'image = quay.io/a/b:1',
      'sidecarImage = busybox:1.36',
      'other.image = a/b | name alone',
    ],
  },
  {
    title: 'Registry, repository, tag and digest are joined.',
    values: {
      image: { registry: 'docker.io', repository: 'bitnami/redis', tag: 7, digest: 'sha256:ab' },
    },
    places: ['image = docker.io/bitnami/redis:7@sha256:ab'],
  },
  {
    title: 'A digest may be its hex alone, and a tag may hold one.',
    values: {
      image: { registry: 'docker.io', repository: 'grafana/grafana', tag: '', sha: 'ab' },
      init: { repository: 'quay.io/a/b', tag: '1@sha256:cd' },
    },
    places: ['image = docker.io/grafana/grafana@sha256:ab', 'init = quay.io/a/b:1@sha256:cd'],
  },
  {
    title: 'A repository with a host is complete, one without is its chart’s to complete.',
    values: {
      image: { repository: 'quay.io/prometheus/node-exporter', tag: 'v1' },
      reloader: { image: { repository: 'natsio/nats-server-config-reloader', tag: '0.16' } },
    },
    places: [
      'image = quay.io/prometheus/node-exporter:v1',
      'reloader.image = natsio/nats-server-config-reloader:0.16 | registry unknown',
    ],
  },
  {
    title: 'An empty registry is none.',
    values: { image: { registry: '', repository: 'quay.io/a/b', tag: '1' } },
    places: ['image = quay.io/a/b:1'],
  },
  {
    title: 'ingress-nginx has image beside registry.',
    values: {
      controller: {
        image: { registry: 'registry.k8s.io', image: 'ingress-nginx/controller', tag: 'v1' },
      },
    },
    places: ['controller.image = registry.k8s.io/ingress-nginx/controller:v1'],
  },
  {
    title: 'Istio’s hub is where its images are.',
    values: {
      global: { hub: 'docker.io/istio', tag: '1.24' },
      pilot: { hub: 'gcr.io/x', tag: '1', image: 'pilot' },
    },
    places: ['global.hub = docker.io/istio | prefix', 'pilot.hub = gcr.io/x | prefix'],
  },
  {
    title: 'A registry of all images is a prefix.',
    values: { global: { imageRegistry: 'quay.io', image: { registry: 'registry.gitlab.com' } } },
    places: [
      'global.imageRegistry = quay.io | prefix',
      'global.image.registry = registry.gitlab.com | prefix',
    ],
  },
  {
    title: 'Cilium’s override is a whole reference beside the parts.',
    values: {
      image: {
        override: 'quay.io/x/y:1',
        repository: 'quay.io/cilium/cilium',
        tag: 'v1',
        useDigest: true,
      },
    },
    places: ['image = quay.io/cilium/cilium:v1', 'image.override = quay.io/x/y:1'],
  },
  {
    title: 'A map of images has one a key.',
    values: { images: { api: 'quay.io/a/api:1', web: 'web' } },
    places: ['images.api = quay.io/a/api:1'],
  },
  {
    title: 'Repositories of charts and of Git are no images.',
    values: {
      chart: { repository: 'https://charts.example.com', version: '1' },
      git: { repository: 'example.com/a/b' },
      logo: { image: 'https://example.com/a.png' },
    },
    places: [],
  },
  {
    title: 'Containers that values hold are images, and their arguments are for review.',
    values: { extraContainers: [{ image: 'busybox:1', args: ['--x=quay.io/a/b:1'] }] },
    places: [
      'extraContainers[0].image = busybox:1',
      'extraContainers[0].args[0] = quay.io/a/b:1 | text',
    ],
  },
];

for (const { title, values, places } of rows)
  test(title, () => {
    const found = valuesPlaces(values).map(({ path, image, review, form }) =>
      [`${fieldText(path)} = ${image}`, review, form]
        .filter((part) => part !== undefined)
        .join(' | '),
    );
    assert.deepEqual(found, places);
  });

test('Values given one by one are joined, and their places are those of the values.', () => {
  const parameters = [
    ['image.repository', 'nats'],
    ['image.registry', 'docker.io'],
    ['__proto__.polluted', 'x'],
    ['replicas', '3'],
  ].map(([name = '', value], index) => ({ name, value, path: ['parameters', index, 'value'] }));
  const [place, ...more] = parameterPlaces(parameters);
  assert.deepEqual(more, []);
  assert.equal(place?.image, 'docker.io/nats');
  assert.deepEqual(place?.parts, {
    registry: ['parameters', 1, 'value'],
    repository: ['parameters', 0, 'value'],
  });
  assert.equal(Reflect.get({}, 'polluted'), undefined);
});
