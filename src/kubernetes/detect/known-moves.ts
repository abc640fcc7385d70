import { dockerHub } from '../../domain/names/host-name.ts';
import { imageEnding, parseImageName } from '../../domain/names/image-name.ts';
import type { ImageName } from '../../domain/names/image-name.ts';
import type { ImageSource } from '../../domain/names/image-source.ts';
import { restUnder } from '../../domain/names/image-source.ts';

/** What became of images: `frozen` ones get no update any more, `moved` and `gone` ones can't be pulled there; of moved ones all is at the new place. */
export type MoveKind = 'frozen' | 'moved' | 'gone';

export interface KnownMove {
  /** Normalized, as of `ImageName`. */
  readonly host: string;
  /** A repository, or the beginning of several up to a slash; '' is the whole host. */
  readonly path: string;
  /** `versioned`: it holds for all but `latest`. */
  readonly tags?: 'versioned';
  readonly kind: MoveKind;
  /** A day, or a month where no day is known. */
  readonly since: string;
  /** Where the same tags and digests are, the rest of the path as it was; absent where another version or name must be chosen. */
  readonly to?: ImageSource;
  /** One sentence for people: what happened, and what to do. */
  readonly note: string;
  readonly source: string;
  /** The day on which the source was read. */
  readonly read: string;
}

/** Each row was looked up; one without a source stays out. */
export const knownMoves: readonly KnownMove[] = [
  {
    host: 'k8s.gcr.io',
    path: '',
    kind: 'frozen',
    since: '2023-04-03',
    to: { host: 'registry.k8s.io', path: '' },
    note: 'frozen since 2023-04-03 and redirected since 2023-03-20; all of it is in registry.k8s.io',
    source: 'https://kubernetes.io/blog/2023/03/10/image-registry-redirect/',
    read: '2026-11-30',
  },
  {
    host: 'gcr.io',
    path: 'kubebuilder/kube-rbac-proxy',
    kind: 'moved',
    since: '2026-03',
    to: { host: 'registry.k8s.io', path: 'kubebuilder/kube-rbac-proxy' },
    note: 'answers 404 since 2026-03; the same versions are in registry.k8s.io, newer ones in quay.io/brancz',
    source: 'https://github.com/cert-manager/aws-privateca-issuer/pull/459',
    read: '2026-11-30',
  },
  {
    host: 'gcr.io',
    path: 'tekton-releases',
    kind: 'moved',
    since: '2025-07',
    to: { host: 'ghcr.io', path: 'tektoncd' },
    note: 'access was taken away in 2025-07; the same images are in ghcr.io/tektoncd',
    source: 'https://github.com/tektoncd/pipeline/issues/8870',
    read: '2026-11-30',
  },
  {
    host: 'gcr.io',
    path: 'kaniko-project',
    kind: 'frozen',
    since: '2025-06',
    note: 'the project was archived in 2025-06; forks are kept up under other names, or another builder is taken',
    source: 'https://github.com/loft-sh/devpod/issues/1873',
    read: '2026-11-30',
  },
  {
    host: dockerHub,
    path: 'bitnami',
    tags: 'versioned',
    kind: 'gone',
    since: '2025-09-29',
    to: { host: dockerHub, path: 'bitnamilegacy' },
    note: 'tags of versions were deleted from 2025-08-28 to 2025-09-29; old ones are in docker.io/bitnamilegacy, without updates',
    source: 'https://github.com/bitnami/containers/issues/83267',
    read: '2026-11-30',
  },
  {
    host: dockerHub,
    path: 'bitnamilegacy',
    kind: 'frozen',
    since: '2025-09-29',
    note: 'what Bitnami left behind, without updates: choose an image that somebody keeps up',
    source: 'https://github.com/bitnami/containers/issues/83267',
    read: '2026-11-30',
  },
  ...['minio', 'mc'].map((name): KnownMove => ({
    host: dockerHub,
    path: `minio/${name}`,
    kind: 'gone',
    since: '2026-09',
    to: { host: 'quay.io', path: `minio/${name}` },
    note: 'deleted from Docker Hub in 2026-09; what was built until 2025-10 is in quay.io/minio, without updates',
    source: 'https://github.com/makeplane/plane/pull/9829',
    read: '2026-11-30',
  })),
  ...['minio', 'mc'].map((name): KnownMove => ({
    host: 'quay.io',
    path: `minio/${name}`,
    kind: 'frozen',
    since: '2025-10-15',
    note: 'MinIO publishes source alone since 2025-10-15: choose an image that somebody keeps up',
    source: 'https://github.com/minio/minio/issues/21647',
    read: '2026-11-30',
  })),
  {
    host: 'quay.io',
    path: 'coreos/prometheus-operator',
    kind: 'frozen',
    since: '2020-11',
    note: 'nothing after v0.42.1; quay.io/prometheus-operator/prometheus-operator has v0.41.0 and later',
    source: 'https://github.com/prometheus-operator/prometheus-operator/issues/3672',
    read: '2026-11-30',
  },
  {
    host: 'quay.io',
    path: 'coreos/flannel',
    kind: 'frozen',
    since: '2022-04',
    note: 'v0.17.0 and later are on Docker Hub alone',
    source: 'https://github.com/kubernetes/kops/pull/13552',
    read: '2026-11-30',
  },
];

export interface FoundMove {
  readonly move: KnownMove;
  /** The same image at its new place, tag and digest verbatim; `undefined` where nobody can tell. */
  readonly image: string | undefined;
}

/** What became of an image; `undefined` where nothing is known, and for text that is no image name. */
export function findMove(image: string): FoundMove | undefined {
  const name = parseImageName(image);
  if (name === undefined) return undefined;
  const [move] = knownMoves
    .filter((each) => concerns(each, name))
    .toSorted((one, other) => other.path.length - one.path.length);
  return move && { move, image: move.to && at(move.to, name, move) };
}

function concerns(move: KnownMove, name: ImageName): boolean {
  if (restUnder(move, name) === undefined) return false;
  return move.tags === undefined || !isLatest(name);
}

/** A digest stays what it is when `latest` goes on. */
function isLatest({ tag, digest }: ImageName): boolean {
  return digest === undefined && (tag ?? 'latest') === 'latest';
}

function at(to: ImageSource, name: ImageName, from: ImageSource): string {
  const rest = restUnder(from, name) ?? '';
  const repository = [to.path, rest].filter((part) => part !== '').join('/');
  return `${to.host}/${repository}${imageEnding(name)}`;
}
