import { isObject } from '../../domain/json.ts';
import { tagText, textOf } from './field-pattern.ts';
import type { FieldPath, ImagePlace } from './image-place.ts';
import { joinImage } from './split-image.ts';

/**
 * The entries of a kustomization's `images:`, as maps or, as Argo CD has them, as texts (`nginx=mirror.example.com/nginx:1`).
 * What an entry puts in is an image; the name that it looks for is written in other files, and is for review.
 */
export function kustomizeImagePlaces(entries: unknown, at: FieldPath): readonly ImagePlace[] {
  if (!Array.isArray(entries)) return [];
  return (entries as readonly unknown[]).flatMap((entry, index) => {
    const path = [...at, index];
    if (typeof entry === 'string') return textEntry(entry, path);
    return isObject(entry) ? mapEntry(entry, path) : [];
  });
}

function mapEntry(
  entry: Readonly<Record<string, unknown>>,
  path: FieldPath,
): readonly ImagePlace[] {
  const name = textOf(entry['name']);
  const newName = textOf(entry['newName']);
  const tag = tagText(entry['newTag']);
  const digest = textOf(entry['digest']);
  const repository = newName ?? name;
  if (repository === undefined) return [];
  const image = joinImage({ repository, tag, digest });
  const parts = {
    repository: [...path, newName === undefined ? 'name' : 'newName'],
    ...(tag !== undefined && { tag: [...path, 'newTag'] }),
    ...(digest !== undefined && { digest: [...path, 'digest'] }),
  };
  if (newName === undefined)
    return [{ image, path, certainty: 'review', review: 'matched name', parts }];
  const put = { image, path, certainty: 'image', parts } as const;
  if (name === undefined) return [put];
  const matched = { repository: [...path, 'name'] };
  return [
    {
      image: name,
      path: matched.repository,
      certainty: 'review',
      review: 'matched name',
      parts: matched,
    },
    put,
  ];
}

function textEntry(entry: string, path: FieldPath): readonly ImagePlace[] {
  const equals = entry.indexOf('=');
  const image = entry.slice(equals + 1);
  if (image === '') return [];
  if (equals >= 0) return [{ image, path, certainty: 'image' }];
  return [{ image, path, certainty: 'review', review: 'matched name' }];
}
