// The part of the push model that a repository holds in the end: blobs, manifests and tags.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mediaTypes } from '../../../src/domain/manifests/media-type.ts';
import { assertError } from '../clients/registry-client.ts';
import type { Algorithm } from '../clients/registry-client.ts';
import type { HttpAnswer } from '../clients/http-exchange.ts';
import type { PushModelOptions } from './push-model.ts';
import type { BlobStep } from './push-model-steps.ts';
import { digestOf } from '../samples/digest.ts';

export interface ContentModel {
  /** Bytes of which something was said, sent or not: from now on they are asked for. */
  meet(bytes: Buffer, algorithm: Algorithm): Blob;
  chooseBlob(index: number): Blob;
  holds(digest: string): boolean;
  /** The answer says that the blob is stored, and it is. */
  store(answer: HttpAnswer, digest: string): void;
  run(step: BlobStep): Promise<void>;
  audit(): Promise<void>;
}

interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

interface Text extends Blob {
  readonly mediaType: string;
}

type Step<Kind extends BlobStep['kind']> = Extract<BlobStep, { readonly kind: Kind }>;
type Method = Step<'blob'>['method'];

/** Nothing is ever stored under it. */
const neverBytes = Buffer.from('never sent');

export function createContentModel(options: PushModelOptions): ContentModel {
  const { client, repository, prefix } = options;
  const blobs = new Map<string, Blob>();
  const held = new Set<string>();
  const texts = new Map<string, Text>();
  const stored = new Set<string>();
  const tags = new Map<string, string>();
  let repositoryIsThere = options.shared;
  const root = `/v2/${repository}`;
  const never = meet(neverBytes, 'sha256');

  function meet(bytes: Buffer, algorithm: Algorithm): Blob {
    const digest = digestOf(bytes, algorithm);
    const known = blobs.get(digest) ?? { digest, bytes };
    blobs.set(digest, known);
    return known;
  }

  function store(answer: HttpAnswer, digest: string): void {
    equal(answer.status, 201, answer.text);
    equal(answer.headers['docker-content-digest'], digest);
    equal(answer.headers.location, `${root}/blobs/${digest}`);
    held.add(digest);
    repositoryIsThere = true;
  }

  /** The held ones come first where there are any, so that most manifests can be stored. */
  function chooseBlob(index: number): Blob {
    const some = [...held, ...blobs.keys()];
    return blobs.get(some[index % some.length] ?? '') ?? never;
  }

  function chooseText(index: number): Text {
    const some = [...texts.values()];
    const none = { digest: never.digest, bytes: never.bytes, mediaType: mediaTypes.ociManifest };
    return some[index % (some.length + 1)] ?? none;
  }

  const tagOf = (index: number): string => `${prefix}${String(index)}`;

  async function askBlob(method: Method, blob: Blob): Promise<void> {
    const answer = await client.ask(method, `${root}/blobs/${blob.digest}`);
    const holds = held.has(blob.digest);
    if (method === 'DELETE') {
      if (!holds) return assertError(answer, 404, 'BLOB_UNKNOWN', 'NAME_UNKNOWN');
      equal(answer.status, 202, answer.text);
      held.delete(blob.digest);
      return;
    }
    assertServed(answer, method, holds ? blob : undefined, 'BLOB_UNKNOWN');
  }

  async function putText(text: Text, reference: string, missing: boolean): Promise<void> {
    const answer = await client.ask('PUT', `${root}/manifests/${reference}`, {
      headers: { 'Content-Type': text.mediaType },
      body: text.bytes,
    });
    texts.set(text.digest, text);
    if (missing) return assertError(answer, 404, 'MANIFEST_BLOB_UNKNOWN');
    equal(answer.status, 201, answer.text);
    equal(answer.headers['docker-content-digest'], text.digest);
    equal(answer.headers.location, `${root}/manifests/${text.digest}`);
    stored.add(text.digest);
    if (!reference.startsWith('sha256:')) tags.set(reference, text.digest);
  }

  async function putImage(step: Step<'putImage'>): Promise<void> {
    const [config, layer] = [chooseBlob(step.config), chooseBlob(step.layer)];
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: descriptor('application/vnd.oci.image.config.v1+json', config),
        layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer, step.wrongSize)],
      }),
    );
    const text = { digest: digestOf(bytes), bytes, mediaType: mediaTypes.ociManifest };
    if (step.by !== 'wrong digest' && !(step.wrongSize && held.has(layer.digest))) {
      const missing = !held.has(config.digest) || !held.has(layer.digest);
      return putText(text, step.by === 'tag' ? tagOf(step.tag) : text.digest, missing);
    }
    const reference = step.by === 'wrong digest' ? never.digest : tagOf(step.tag);
    const answer = await client.ask('PUT', `${root}/manifests/${reference}`, {
      headers: { 'Content-Type': text.mediaType },
      body: bytes,
    });
    texts.set(text.digest, text);
    const code = step.by === 'wrong digest' ? 'DIGEST_INVALID' : 'MANIFEST_INVALID';
    assertError(answer, 400, code);
  }

  async function putIndex(step: Step<'putIndex'>): Promise<void> {
    const child = chooseText(step.manifest);
    const { mediaType } = child;
    const manifests = [descriptor(mediaType, child)];
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
    );
    const text = { digest: digestOf(bytes), bytes, mediaType: mediaTypes.ociIndex };
    await putText(text, tagOf(step.tag), !stored.has(child.digest));
  }

  async function askText(method: Method, reference: string, digest: string): Promise<void> {
    const answer = await client.ask(method, `${root}/manifests/${reference}`);
    const text = stored.has(digest) ? texts.get(digest) : undefined;
    if (method !== 'DELETE') {
      assertServed(answer, method, text, 'MANIFEST_UNKNOWN');
      if (text !== undefined) equal(answer.headers['content-type'], text.mediaType);
      return;
    }
    if (text === undefined) return assertError(answer, 404, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN');
    equal(answer.status, 202, answer.text);
    tags.delete(reference);
    if (reference !== digest) return;
    stored.delete(digest);
    for (const [tag, named] of tags) if (named === digest) tags.delete(tag);
  }

  async function listTags(): Promise<void> {
    const answer = await client.ask('GET', `${root}/tags/list`);
    if (!repositoryIsThere) return assertError(answer, 404, 'NAME_UNKNOWN');
    equal(answer.status, 200, answer.text);
    const listed = (JSON.parse(answer.text) as { tags: string[] }).tags;
    const own = listed.filter((tag) => tag.startsWith(prefix));
    deepEqual(own, [...tags.keys()].toSorted());
  }

  return {
    meet,
    chooseBlob,
    holds: (digest) => held.has(digest),
    store,
    run: async (step) => {
      switch (step.kind) {
        case 'blob':
          return askBlob(step.method, chooseBlob(step.blob));
        case 'putImage':
          return putImage(step);
        case 'putIndex':
          return putIndex(step);
        case 'manifest': {
          const { digest } = chooseText(step.chosen);
          return askText(step.method, digest, digest);
        }
        case 'tag': {
          const tag = tagOf(step.chosen);
          return askText(step.method, tag, tags.get(tag) ?? 'none');
        }
        case 'tags':
          return listTags();
      }
    },
    audit: async () => {
      for (const blob of blobs.values()) await askBlob('GET', blob);
      for (const { digest } of texts.values()) await askText('GET', digest, digest);
      for (const [tag, digest] of tags) await askText('GET', tag, digest);
      await listTags();
    },
  };
}

/** These bytes under their digest, or that they are not there. */
function assertServed(
  answer: HttpAnswer,
  method: Method,
  content: Blob | undefined,
  unknown: string,
): void {
  if (content === undefined) {
    if (method === 'HEAD') equal(answer.status, 404);
    else assertError(answer, 404, unknown, 'NAME_UNKNOWN');
    return;
  }
  const { digest, bytes } = content;
  deepEqual(
    [answer.status, answer.headers['content-length'], answer.headers['docker-content-digest']],
    [200, String(bytes.length), digest],
  );
  ok(
    answer.bytes.equals(method === 'HEAD' ? Buffer.alloc(0) : bytes),
    'the bytes are those pushed',
  );
}

function descriptor(mediaType: string, { digest, bytes }: Blob, lies = false): object {
  return { mediaType, digest, size: bytes.length + (lies ? 1 : 0) };
}
