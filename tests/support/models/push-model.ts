// What a registry has to answer to a client that pushes, whatever came before: a model that is run beside the server.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { assertError, withQuery } from '../clients/registry-client.ts';
import type { Question, RegistryClient } from '../clients/registry-client.ts';
import { leaveAtTheEnd } from '../clients/broken-request.ts';
import type { HttpAnswer } from '../clients/http-exchange.ts';
import { createContentModel } from './push-model-content.ts';
import type { ContentModel } from './push-model-content.ts';
import { until } from '../rigs/until.ts';
import type { Digesting, Place, PushStep, UploadStep } from './push-model-steps.ts';

export interface PushModel {
  readonly content: ContentModel;
  /** What the upload that a number chooses is in. */
  stateOf(upload: number): UploadState;
  /** Sends the step's request and holds the answer against what the model expects. */
  run(step: PushStep): Promise<void>;
  /** Everything that the model knows of is as it says. What is open is then given up: thousands of models would leave as many. */
  audit(): Promise<void>;
}

export type UploadState = 'open' | 'finished' | 'refused' | 'cancelled' | 'unknown';

interface Upload {
  readonly location: string;
  readonly salt: number;
  state: UploadState;
  size: number;
}

export interface PushModelOptions {
  readonly client: RegistryClient;
  readonly repository: string;
  /** Models of one repository whose salts and prefixes differ never share content but the empty blob. */
  readonly salt: number;
  readonly prefix: string;
  /** Others push to the repository too: it is there, and the empty blob is nobody's. */
  readonly shared: boolean;
}

export function createPushModel(options: PushModelOptions): PushModel {
  const { client, repository } = options;
  const content = createContentModel(options);
  const uploads: Upload[] = [];
  const start = `/v2/${repository}/blobs/uploads/`;

  /** One of those that were begun, or one that never was. */
  function choose(index: number): Upload {
    const found = uploads[index % (uploads.length + 1)];
    const location = `${start}${randomUUID()}`;
    return found ?? { location, salt: options.salt, state: 'unknown', size: 0 };
  }

  function begun(answer: HttpAnswer, salt: number): void {
    equal(answer.status, 202, answer.text);
    const { location } = answer.headers;
    ok(location !== undefined && location.startsWith(start), `Location: ${String(location)}`);
    ok(uploads.every((upload) => upload.location !== location));
    uploads.push({ location, salt, state: 'open', size: 0 });
    assertProgress(answer, location, 0);
  }

  async function startUpload(
    step: Extract<UploadStep, { kind: 'begin' | 'whole' }>,
  ): Promise<void> {
    const salt = options.salt + step.salt;
    if (step.kind === 'begin') return begun(await client.ask('POST', start), salt);
    const bytes = patterned(salt, 0, atLeastOne(step.length, options.shared));
    const { digest } = content.meet(step.right ? bytes : altered(bytes), step.algorithm);
    const { streamed } = step;
    const answer = await client.ask('POST', withQuery(start, { digest }), {
      body: bytes,
      streamed,
    });
    // Without a body it is the beginning of an upload, but for the empty blob.
    if (bytes.length === 0 && !step.right) return begun(answer, salt);
    if (!step.right) return assertError(answer, 400, 'DIGEST_INVALID');
    content.store(answer, digest);
  }

  async function mount(step: Extract<UploadStep, { kind: 'mount' }>): Promise<void> {
    const { digest } = content.chooseBlob(step.blob);
    const query = { mount: digest, from: repository };
    const answer = await client.ask('POST', withQuery(start, query));
    if (content.holds(digest)) content.store(answer, digest);
    else begun(answer, options.salt);
  }

  async function append(step: Extract<UploadStep, { kind: 'append' }>): Promise<void> {
    const upload = choose(step.upload);
    const sent = chunkOf(upload, step);
    const answer = await client.ask('PATCH', upload.location, sent.question);
    if (refusesChunk(answer, upload, sent)) return;
    upload.size += sent.bytes.length;
    equal(answer.status, 202, answer.text);
    assertProgress(answer, upload.location, upload.size);
  }

  /** The server hears of it after the client: until then the upload is as before. */
  async function leave(step: Extract<UploadStep, { kind: 'leave' }>): Promise<void> {
    const upload = choose(step.upload);
    const { location, salt, size } = upload;
    const body = patterned(salt, size, step.length);
    const question = { body, streamed: step.streamed };
    const asked = await leaveAtTheEnd(client, 'PATCH', location, question);
    equal(asked, upload.state === 'open');
    if (!asked) return;
    upload.size += step.length - 1;
    await until(
      async () => {
        const answer = await client.ask('GET', location);
        return answer.headers.range === `0-${String(Math.max(0, upload.size - 1))}`;
      },
      'what came before the client left',
      3000,
    );
  }

  async function finish(step: Extract<UploadStep, { kind: 'finish' }>): Promise<void> {
    const upload = choose(step.upload);
    const length = atLeastOne(step.length, options.shared && upload.size === 0);
    const sent = chunkOf(upload, { ...step, length });
    const whole = patterned(upload.salt, 0, upload.size + sent.bytes.length);
    const { digest } = content.meet(whole, step.algorithm);
    const { location } = upload;
    if (step.digest === 'missing') {
      const answer = await client.ask('PUT', location, sent.question);
      return assertError(answer, 400, 'DIGEST_INVALID');
    }
    const told = step.digest === 'right' ? digest : wrongDigest(content, whole, step);
    const answer = await client.ask('PUT', withQuery(location, { digest: told }), sent.question);
    if (refusesChunk(answer, upload, sent)) return;
    if (step.digest === 'right') {
      upload.state = 'finished';
      return content.store(answer, digest);
    }
    upload.state = 'refused';
    assertError(answer, 400, 'DIGEST_INVALID');
  }

  async function status(upload: Upload): Promise<void> {
    const answer = await client.ask('GET', upload.location);
    if (upload.state !== 'open') return assertError(answer, 404, 'BLOB_UPLOAD_UNKNOWN');
    deepEqual([answer.status, answer.text], [204, '']);
    assertProgress(answer, upload.location, upload.size);
  }

  async function cancel(step: Extract<UploadStep, { kind: 'cancel' }>): Promise<void> {
    const upload = choose(step.upload);
    const answer = await client.ask('DELETE', upload.location);
    if (upload.state !== 'open') return assertError(answer, 404, 'BLOB_UPLOAD_UNKNOWN');
    deepEqual([answer.status, answer.text], [204, '']);
    upload.state = 'cancelled';
  }

  async function run(step: PushStep): Promise<void> {
    switch (step.kind) {
      case 'begin':
      case 'whole':
        return startUpload(step);
      case 'mount':
        return mount(step);
      case 'append':
        return append(step);
      case 'leave':
        return leave(step);
      case 'finish':
        return finish(step);
      case 'status':
        return status(choose(step.upload));
      case 'cancel':
        return cancel(step);
      case 'blob':
      case 'manifest':
      case 'putImage':
      case 'putIndex':
      case 'tag':
      case 'tags':
        return content.run(step);
    }
  }

  return {
    content,
    stateOf: (index) => choose(index).state,
    run,
    audit: async () => {
      for (const upload of uploads) await status(upload);
      await content.audit();
      for (const { location, state } of uploads)
        if (state === 'open') await client.ask('DELETE', location);
    },
  };
}

/** A chunk as it is sent, and what is wrong with it. */
interface Chunk {
  readonly bytes: Buffer;
  readonly question: Question;
  readonly fault: 'none' | 'place' | 'length';
}

function chunkOf(
  upload: Upload,
  step: { readonly length: number; readonly place: Place; readonly streamed: boolean },
): Chunk {
  const { size, salt } = upload;
  const bytes = patterned(salt, size, step.length);
  const { streamed } = step;
  // There is no range of no bytes.
  if (step.place === 'none' || bytes.length === 0)
    return { bytes, question: { body: bytes, streamed }, fault: 'none' };
  const begins = {
    right: size,
    lying: size,
    ahead: size + 1,
    again: size === 0 ? 9 : 0,
    overlapping: size === 0 ? 1 : size - 1,
  }[step.place];
  const ends = begins + bytes.length - (step.place === 'lying' ? 0 : 1);
  const headers = { 'Content-Range': `${String(begins)}-${String(ends)}` };
  const question = { body: bytes, streamed, headers };
  if (step.place === 'lying') return { bytes, question, fault: 'length' };
  return { bytes, question, fault: begins === size ? 'none' : 'place' };
}

/** True where the chunk is to be refused, and was; the upload is as before. */
function refusesChunk(answer: HttpAnswer, upload: Upload, { fault, question }: Chunk): boolean {
  // A length that the headers alone give away is told before the upload is looked for.
  if (fault === 'length' && (upload.state === 'open' || question.streamed !== true)) {
    assertError(answer, 400, 'SIZE_INVALID');
    return true;
  }
  if (upload.state !== 'open') {
    assertError(answer, 404, 'BLOB_UPLOAD_UNKNOWN');
    return true;
  }
  if (fault !== 'place') return false;
  assertError(answer, 416, 'BLOB_UPLOAD_INVALID');
  assertProgress(answer, upload.location, upload.size);
  return true;
}

function assertProgress(answer: HttpAnswer, location: string, size: number): void {
  deepEqual(
    [answer.headers.location, answer.headers.range, answer.headers['docker-upload-uuid']],
    [location, `0-${String(Math.max(0, size - 1))}`, location.slice(location.lastIndexOf('/') + 1)],
  );
}

/** The digest of bytes that were never sent. */
function wrongDigest(content: ContentModel, whole: Buffer, { algorithm }: Digesting): string {
  return content.meet(altered(whole), algorithm).digest;
}

function altered(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.from('!')]);
}

/** The empty blob may be anybody's. */
function atLeastOne(length: number, shared: boolean): number {
  return shared ? Math.max(1, length) : length;
}

/** The bytes from `start` on of an endless text of this salt: the same for every upload that has it. */
export function patterned(salt: number, start: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index += 1) {
    const at = start + index;
    bytes[index] = (salt * 31 + (at & 0xff) * 7 + (at >>> 8) * 13 + (at >>> 16)) & 0xff;
  }
  return bytes;
}
