import * as z from 'zod';
import * as outputs from '../../contract/access-schema.ts';
import { RegistryError } from '../../domain/errors.ts';
import { parseReference } from '../../domain/names/reference.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { parseTag } from '../../domain/names/tag.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { Images } from '../../operations/images/images.ts';
import type { TemplateApplications } from '../../operations/repositories/template-applications.ts';
import type { RepositoryCleanUps } from '../../operations/repositories/clean-ups.ts';
import type { Repositories } from '../../operations/repositories.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { fields, pageFields, registryFields, repositoryFields } from './input.ts';

/** Repositories, and what they hold. */
export function contentEndpoints(parts: {
  readonly repositories: Repositories;
  readonly repositoryCleanUps: RepositoryCleanUps;
  readonly templateApplications: TemplateApplications;
  readonly images: Images;
}): readonly Endpoint[] {
  return [
    ...repositoryEndpoints(parts.repositories),
    ...belowEndpoints(parts),
    ...listEndpoints(parts.images),
    ...imageEndpoints(parts.images),
  ];
}

function repositoryEndpoints(repositories: Repositories): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'repositories',
      summary:
        'The repositories of a registry that the caller may see; a page may be short, even empty, and have a next one',
      input: z.strictObject({
        prefix: z.string().max(255).default(''),
        ...registryFields,
        ...pageFields,
      }),
      output: outputs.listOf(outputs.repository),
      answer: (input, asking) => repositories.list(asking, input, asking.signal),
    }),
    endpoint({
      method: 'GET',
      path: 'repository',
      summary: 'One repository: its settings, and what made it',
      input: z.strictObject(repositoryFields),
      output: outputs.repository,
      answer: (input, asker) => repositories.describe(asker, input),
    }),
    endpoint({
      method: 'POST',
      path: 'repositories',
      summary: 'Makes a repository',
      created: true,
      input: z.strictObject({
        ...repositoryFields,
        tagMutability: fields.tagMutability.optional(),
      }),
      output: outputs.repository,
      answer: (input, asker) => repositories.create(asker, input),
    }),
    endpoint({
      method: 'PATCH',
      path: 'repositories',
      summary: 'Changes the settings of a repository',
      input: z.strictObject({ ...repositoryFields, tagMutability: fields.tagMutability }),
      output: outputs.repository,
      answer: (input, asker) => repositories.setTagMutability(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'repositories',
      summary: 'Deletes a repository; one that holds images only with force',
      input: z.strictObject({ ...repositoryFields, force: fields.flag }),
      output: undefined,
      answer: (input, asker) => repositories.delete(asker, input),
    }),
  ];
}

/** What is done to the repositories at and below a prefix, a page at a time. */
function belowEndpoints({
  repositoryCleanUps,
  templateApplications,
}: {
  readonly repositoryCleanUps: RepositoryCleanUps;
  readonly templateApplications: TemplateApplications;
}): readonly Endpoint[] {
  const below = { prefix: fields.repository, ...registryFields, ...pageFields };
  return [
    endpoint({
      method: 'POST',
      path: 'repositories/clean-up',
      summary:
        'Deletes the repositories at and below a prefix that pulls made, with their images; others only with all. A page is 100 at most',
      input: z.strictObject({
        ...below,
        all: z.boolean().default(false),
        force: z.boolean().default(false),
        dryRun: z.boolean(),
      }),
      output: outputs.cleanUp,
      answer: (input, asking) => repositoryCleanUps.cleanUp(asking, input, asking.signal),
    }),
    endpoint({
      method: 'POST',
      path: 'repositories/apply-template',
      summary:
        'Gives the repositories at and below a prefix what the template that matches each says. A page is 100 at most',
      input: z.strictObject({ ...below, dryRun: z.boolean() }),
      output: outputs.listOf(outputs.appliedTemplate),
      answer: (input, asking) => templateApplications.apply(asking, input, asking.signal),
    }),
  ];
}

function listEndpoints(images: Images): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'tags',
      summary: 'The tags of a repository, in their order',
      input: z.strictObject({ ...repositoryFields, ...pageFields }),
      output: outputs.listOf(outputs.tag),
      answer: (input, asker) => images.tags(asker, input),
    }),
    endpoint({
      method: 'GET',
      path: 'images',
      summary: 'The images of a repository, the newest first',
      input: z.strictObject({ ...repositoryFields, ...pageFields }),
      output: outputs.listOf(outputs.image),
      answer: (input, asker) => images.list(asker, input),
    }),
  ];
}

function imageEndpoints(images: Images): readonly Endpoint[] {
  const one = z.strictObject({ ...repositoryFields, reference: fields.reference });
  return [
    endpoint({
      method: 'DELETE',
      path: 'tags',
      summary: 'Deletes a tag; the image stays',
      input: z.strictObject({ ...repositoryFields, tag: fields.reference }),
      output: outputs.deletedImage,
      answer: (input, asker) => images.deleteTag(asker, { ...input, tag: readTag(input.tag) }),
    }),
    endpoint({
      method: 'GET',
      path: 'image',
      summary: 'One image by tag or digest: what its manifest names, and what refers to it',
      input: one,
      output: outputs.imageDetail,
      answer: (input, asker) =>
        images.describe(asker, { ...input, reference: readReference(input.reference) }),
    }),
    endpoint({
      method: 'DELETE',
      path: 'image',
      summary: 'Deletes an image with its tags; by a tag, the image that it names',
      input: one,
      output: outputs.deletedImage,
      answer: (input, asker) =>
        images.delete(asker, { ...input, reference: readReference(input.reference) }),
    }),
  ];
}

function readTag(text: string): Tag {
  const tag = parseTag(text);
  if (tag === undefined) throw new RegistryError('tagInvalid', 'tag: not a tag');
  return tag;
}

function readReference(text: string): Reference {
  const reference = parseReference(text);
  if (reference !== undefined) return reference;
  throw new RegistryError('requestInvalid', 'reference: neither a tag nor a digest', {
    detail: { field: 'reference' },
  });
}
