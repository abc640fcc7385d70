import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageName } from '../../domain/names/image-name.ts';
import { findMove, knownMoves } from './known-moves.ts';

const digest = `sha256:${'a'.repeat(64)}`;

const images: readonly {
  readonly that: string;
  readonly image: string;
  readonly kind?: string;
  readonly becomes?: string;
}[] = [
  {
    that: 'All of k8s.gcr.io is frozen, and its paths stay.',
    image: 'k8s.gcr.io/ingress-nginx/controller:v1.1.1',
    kind: 'frozen',
    becomes: 'registry.k8s.io/ingress-nginx/controller:v1.1.1',
  },
  {
    that: 'Tag and digest stay together.',
    image: `k8s.gcr.io/pause:3.9@${digest}`,
    kind: 'frozen',
    becomes: `registry.k8s.io/pause:3.9@${digest}`,
  },
  {
    that: 'A host is known in capitals and with its port.',
    image: 'K8S.gcr.io:443/pause:3.9',
    kind: 'frozen',
    becomes: 'registry.k8s.io/pause:3.9',
  },
  { that: 'registry.k8s.io is where it went.', image: 'registry.k8s.io/pause:3.9' },
  {
    that: 'kube-rbac-proxy left gcr.io.',
    image: 'gcr.io/kubebuilder/kube-rbac-proxy:v0.13.1',
    kind: 'moved',
    becomes: 'registry.k8s.io/kubebuilder/kube-rbac-proxy:v0.13.1',
  },
  {
    that: 'A name that only begins like it did not.',
    image: 'gcr.io/kubebuilder/kube-rbac-proxy2:v1',
  },
  { that: 'The rest of gcr.io did not.', image: 'gcr.io/distroless/static:nonroot' },
  {
    that: 'What is below a path goes with it.',
    image: 'gcr.io/tekton-releases/github.com/tektoncd/pipeline/cmd/git-init:v0.40.2',
    kind: 'moved',
    becomes: 'ghcr.io/tektoncd/github.com/tektoncd/pipeline/cmd/git-init:v0.40.2',
  },
  {
    that: 'A version of a Bitnami image is gone, however it is spelled.',
    image: 'bitnami/redis:7.2.4',
    kind: 'gone',
    becomes: 'docker.io/bitnamilegacy/redis:7.2.4',
  },
  {
    that: 'So is a digest.',
    image: `index.docker.io/bitnami/redis@${digest}`,
    kind: 'gone',
    becomes: `docker.io/bitnamilegacy/redis@${digest}`,
  },
  { that: 'latest of Bitnami is there.', image: 'bitnami/redis:latest' },
  { that: 'No tag is latest.', image: 'docker.io/bitnami/redis' },
  { that: 'Bitnami elsewhere is another.', image: 'quay.io/bitnami/redis:7' },
  {
    that: 'bitnamilegacy is frozen and leads nowhere.',
    image: 'bitnamilegacy/redis:7',
    kind: 'frozen',
  },
  {
    that: 'MinIO left Docker Hub.',
    image: 'minio/mc',
    kind: 'gone',
    becomes: 'quay.io/minio/mc',
  },
  { that: 'Another repository of quay.io/coreos goes on.', image: 'quay.io/coreos/etcd:v3.5.0' },
  { that: 'What is no name is not known.', image: '{{ .Values.image }}' },
];

for (const { that, image, kind, becomes } of images)
  test(that, () => {
    const found = findMove(image);
    assert.deepEqual([found?.move.kind, found?.image], [kind, becomes]);
  });

test('Each row has a source and days that can be read, and what it leads to is a name that leads no further away.', () => {
  for (const move of knownMoves) {
    const label = `${move.host}/${move.path}`;
    assert.match(move.source, /^https:\/\//, label);
    assert.match(move.since, /^\d{4}-\d{2}(-\d{2})?$/, label);
    assert.match(move.read, /^\d{4}-\d{2}-\d{2}$/, label);
    if (move.to === undefined) continue;
    const there = [move.to.host, move.to.path, 'x'].filter((part) => part !== '').join('/');
    assert.ok(parseImageName(there), label);
    assert.equal(findMove(`${there}:1`)?.image, undefined, label);
  }
});
