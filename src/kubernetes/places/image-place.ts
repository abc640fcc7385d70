/** Keys and indexes from the root of a document to a value. */
export type FieldPath = readonly (string | number)[];

/** One place that names an image. */
export interface ImagePlace {
  /** As it is written, or as it is joined of its parts: what a node would be asked to pull. */
  readonly image: string;
  /** `spec.template.spec.containers[0].image`; of split keys the map that holds them. */
  readonly path: FieldPath;
  /** `image`: a field that is an image for sure. `review`: a person has to look; never edited by default. */
  readonly certainty: 'image' | 'review';
  /** Why a person has to look; only with `review`. */
  readonly review?: ReviewReason;
  /** Which fields hold which part, where several do. */
  readonly parts?: ImageParts;
  /** `prefix`: names where images are, as `registry.k8s.io` and `docker.io/istio` do, and no single image. `artifact`: an OCI artifact that no node runs. An image that a node runs where absent. */
  readonly form?: 'prefix' | 'artifact';
  /** What else has to be done where this is changed. */
  readonly note?: string;
}

export type ReviewReason =
  | 'environment'
  | 'argument'
  | 'text'
  /** A repository without a registry beside it: only its chart knows what it is joined with. */
  | 'registry unknown'
  /** A bare word that may be completed elsewhere, or be no image at all. */
  | 'name alone'
  /** A kustomize entry without a new name: what it matches is written elsewhere. */
  | 'matched name'
  /** In a template that is only text until it is rendered. */
  | 'template'
  /** In a script or a mirror plan, which copies from there. */
  | 'script';

/** Paths from the root; absent where no such key is there. */
export interface ImageParts {
  /** A host, or a host and a path. The key may be there and empty. */
  readonly registry?: FieldPath;
  readonly repository: FieldPath;
  readonly tag?: FieldPath;
  /** `sha256:…`, or its hex alone. */
  readonly digest?: FieldPath;
}

/** As people write it: `spec.containers[0].image`, `data["config.yaml"]`. */
export function fieldText(path: FieldPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w$-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}
