import { isObject } from '../../domain/json.ts';
import { findFields, parsePattern, textOf } from './field-pattern.ts';
import type { ImagePlace, ReviewReason } from './image-place.ts';
import { namesHost } from './split-image.ts';
import { imagesInText, isWholeImage } from './text-images.ts';

/** A document that is no Kubernetes object, known by its file's name or by what it holds. */
export type DocumentForm = 'compose' | 'gitlab' | 'actions' | 'chart' | 'skaffold' | 'mirror';

/** Where a form has images: fields that are images, and fields that a person has to look at. */
interface FormFields {
  readonly images: readonly string[];
  readonly review?: { readonly fields: readonly string[]; readonly reason: ReviewReason };
}

const forms: Readonly<Record<DocumentForm, FormFields>> = {
  // compose-spec: services.<name>.image; build contexts that are images.
  compose: {
    images: ['services.*.image', 'services.*.volumes[].image.source'],
    review: { fields: ['services.*.command', 'services.*.environment'], reason: 'environment' },
  },
  // docs.gitlab.com/ci/yaml: image and services, of jobs and by default.
  gitlab: {
    images: [
      'image',
      'image.name',
      'services[]',
      'services[].name',
      'default.image',
      'default.image.name',
      'default.services[]',
      'default.services[].name',
      '*.image',
      '*.image.name',
      '*.services[]',
      '*.services[].name',
    ],
    review: { fields: ['variables', '*.variables', '*.script'], reason: 'script' },
  },
  // docs.github.com: workflow syntax. `uses: docker://…` is read below.
  actions: {
    images: ['jobs.*.container', 'jobs.*.container.image', 'jobs.*.services.*.image'],
    review: { fields: ['env', 'jobs.*.env', 'jobs.*.steps[].run'], reason: 'script' },
  },
  // helm.sh/docs/topics/charts: what a chart says of its images.
  chart: { images: [], review: { fields: ['annotations'], reason: 'text' } },
  // skaffold.dev: images that are built here have no registry to come from.
  skaffold: {
    images: ['build.artifacts[].buildpacks.builder', 'build.artifacts[].buildpacks.runImage'],
    review: { fields: ['deploy', 'build.artifacts[].docker.buildArgs'], reason: 'text' },
  },
  // regsync, skopeo sync, imgpkg, kbld, Hauler, Zarf, oc-mirror: what is copied, from where.
  mirror: {
    images: [],
    review: {
      fields: ['sync', 'images', 'spec', 'mirror', 'components', 'overrides', 'searchRules'],
      reason: 'script',
    },
  },
};

const patterns = new Map(
  Object.entries(forms).map(([form, { images }]) => [form, images.map(parsePattern)]),
);

/** The places of a document of a known form that name images. */
export function documentPlaces(document: unknown, form: DocumentForm): readonly ImagePlace[] {
  const found: ImagePlace[] = [];
  for (const pattern of patterns.get(form) ?? [])
    for (const { value, path } of findFields(document, pattern)) {
      const image = textOf(value);
      if (image !== undefined) found.push({ image, path, certainty: 'image' });
    }
  if (form === 'actions') found.push(...actionPlaces(document));
  const { review } = forms[form];
  for (const field of review?.fields ?? [])
    for (const { value, path } of findFields(document, parsePattern(field)))
      reviewTexts(value, [...path], review?.reason ?? 'text', found);
  return found;
}

const dockerScheme = 'docker://';

/** Steps and actions that are an image: `docker://alpine:3.20`. */
function actionPlaces(document: unknown): readonly ImagePlace[] {
  const fields = ['jobs.*.steps[].uses', 'runs.image', 'runs.steps[].uses'];
  return fields
    .flatMap((field) => findFields(document, parsePattern(field)))
    .flatMap(({ value, path }) => {
      const text = textOf(value);
      if (text?.startsWith(dockerScheme) !== true) return [];
      return [{ image: text.slice(dockerScheme.length), path, certainty: 'image' }];
    });
}

const textsMax = 100_000;

function reviewTexts(
  value: unknown,
  path: (string | number)[],
  reason: ReviewReason,
  found: ImagePlace[],
  seen: WeakSet<object> = new WeakSet(),
): void {
  const text = textOf(value);
  if (text !== undefined) {
    const isWhole = namesHost(text) && isWholeImage(text) && reason === 'script';
    const images = isWhole ? [text] : imagesInText(text).map(({ image }) => image);
    for (const image of images)
      if (found.length < textsMax)
        found.push({ image, path: [...path], certainty: 'review', review: reason });
    return;
  }
  if (typeof value !== 'object' || value === null || path.length > 64 || seen.has(value)) return;
  seen.add(value);
  for (const [key, child] of Object.entries(value)) {
    path.push(Array.isArray(value) ? Number(key) : key);
    reviewTexts(child, path, reason, found, seen);
    path.pop();
  }
}

const mirrorGroups =
  /^(?:imgpkg\.carvel\.dev|kbld\.k14s\.io|content\.hauler|mirror\.openshift\.io|zarf\.dev)/;

/** What a document is by its content; `undefined` for a Kubernetes object and for what nothing tells. */
export function formOf(document: unknown): DocumentForm | undefined {
  if (!isObject(document)) return undefined;
  const apiVersion = textOf(document['apiVersion']) ?? '';
  const kind = textOf(document['kind']) ?? '';
  if (apiVersion.startsWith('skaffold/')) return 'skaffold';
  if (mirrorGroups.test(apiVersion) || kind === 'ZarfPackageConfig') return 'mirror';
  if (kind !== '') return undefined;
  const { services, sync, jobs, on } = document;
  if (isObject(services) && Object.values(services).some(isService)) return 'compose';
  if (isObject(jobs) && on !== undefined) return 'actions';
  if (Array.isArray(sync) && (sync as readonly unknown[]).some(hasSource)) return 'mirror';
  if ('apiVersion' in document && 'name' in document && 'version' in document) return 'chart';
  return undefined;
}

function isService(service: unknown): boolean {
  return isObject(service) && ('image' in service || 'build' in service);
}

function hasSource(entry: unknown): boolean {
  return isObject(entry) && 'source' in entry && 'target' in entry;
}
