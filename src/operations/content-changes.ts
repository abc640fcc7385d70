import type { Asker } from '../access/access.ts';
import { wasWritten } from '../coordination/call-attempt.ts';
import type { Place } from '../access/admission/admission.ts';
import type { ChunkRange, PutManifestAnswer, Pushes, UploadState } from '../cache/push/pushes.ts';
import type { ByteStream } from '../domain/byte-source.ts';
import { algorithmOf } from '../domain/names/digest.ts';
import type { Digest, DigestAlgorithm } from '../domain/names/digest.ts';
import type { Reference } from '../domain/names/reference.ts';
import type { RepositoryName } from '../domain/names/repository-name.ts';
import type { Tag } from '../domain/names/tag.ts';
import { actions } from '../domain/policy/access-action.ts';
import type { Action } from '../domain/policy/access-action.ts';
import { RegistryError } from '../domain/errors.ts';
import { describePrincipal } from '../domain/policy/principal.ts';
import { isAdmitted } from '../domain/rules/name-pattern.ts';
import type { Places } from './places.ts';
import { readAccountSetting } from './registries/registry-settings.ts';
import type { SettingsMetadata } from './registries/registry-settings.ts';
import { changeRepository, requireAdmitted, recordingRefusal } from './repository-change.ts';
import type { ChangeParts, AuditedChange } from './repository-change.ts';

/** Bytes on their way in, with their place in the upload. */
export interface Chunk {
  /** Absent: they go to the end. */
  readonly range: ChunkRange | undefined;
  /** How many, where that is known. */
  readonly bytes: number | undefined;
  readonly body: ByteStream;
}

export interface WholeBlob {
  readonly digest: Digest;
  readonly bytes: number | undefined;
  readonly body: ByteStream;
}

export interface PushedManifest {
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
}

export interface MountRequest {
  readonly digest: Digest;
  /** Absent: any repository that has it. */
  readonly from: RepositoryName | undefined;
}

export interface Deleted {
  readonly digest: Digest;
  readonly tags: readonly Tag[];
}

/** Where an upload stands, or that the blob was mounted and there is nothing to upload. */
export type BegunUpload =
  | { readonly kind: 'upload'; readonly upload: UploadState }
  | { readonly kind: 'mounted'; readonly digest: Digest; readonly from: RepositoryName };

/**
 * What pushes and deletions do to a repository's content, asked by anyone (docs/access.md, "Actions and resources"). What a `read`
 * callback gives is asked for once the right is settled; what it throws is the answer. Each throws `RegistryError`.
 */
export interface ContentChanges {
  /** Under a tag, or under the bytes' digest with any number of tags. */
  putManifest(
    asker: Asker,
    place: Place,
    named: { readonly reference: Reference; readonly tags: readonly Tag[] },
    read: () => Promise<PushedManifest>,
  ): Promise<PutManifestAnswer>;
  /** By a tag the tag alone, by digest the manifest with its tags. */
  deleteManifest(asker: Asker, place: Place, reference: Reference): Promise<Deleted>;
  deleteBlob(asker: Asker, place: Place, digest: Digest): Promise<void>;
  /** A whole blob in one request, which needs the rights of all that it does. */
  putBlob(asker: Asker, place: Place, blob: WholeBlob, signal: AbortSignal): Promise<void>;
  /** `mount`: what may not be mounted is uploaded. Throws `unauthorized` where the scopes of a token alone keep it from its source. */
  startUpload(
    asker: Asker,
    place: Place,
    algorithm: DigestAlgorithm,
    mount?: MountRequest,
  ): Promise<BegunUpload>;
  uploadState(asker: Asker, place: Place, id: string): Promise<UploadState>;
  appendUpload(
    asker: Asker,
    place: Place,
    id: string,
    read: () => Chunk,
    signal: AbortSignal,
  ): Promise<UploadState>;
  /** The last bytes, if any, and the digest of it all. */
  finishUpload(
    asker: Asker,
    place: Place,
    id: string,
    read: () => Chunk & { readonly digest: Digest },
    signal: AbortSignal,
  ): Promise<Digest>;
  /** The digest of what was appended, which needs no right to append. Throws `uploadInvalid` where that is nothing. */
  completeUpload(
    asker: Asker,
    place: Place,
    named: { readonly id: string; readonly digest: Digest },
    signal: AbortSignal,
  ): Promise<void>;
  cancelUpload(asker: Asker, place: Place, id: string): Promise<void>;
}

export interface ContentChangesParts extends ChangeParts {
  readonly pushes: Omit<Pushes, 'createRepository' | 'deleteRepository'>;
  readonly places: Pick<Places, 'at'>;
  readonly metadata: SettingsMetadata;
}

const wholeBlobActions: readonly Action[] = [
  actions.startUpload,
  actions.appendUpload,
  actions.finishUpload,
];
const tagsCharactersMax = 2048;

export function createContentChanges(parts: ContentChangesParts): ContentChanges {
  return { ...manifestChanges(parts), ...blobChanges(parts), ...openUploads(parts) };
}

function manifestChanges(parts: ContentChangesParts) {
  const { pushes, admission } = parts;
  return {
    putManifest: (asker, place, { reference, tags }, read) => {
      const action = actions.putManifest;
      const apply = async (): Promise<PutManifestAnswer> => {
        await pushes.requirePush(place);
        return pushes.putManifest({
          ...place,
          ...(await read()),
          reference,
          tags,
          algorithm: reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256',
          mayImport: () => admission.mayImport(asker, place),
        });
      };
      const push = {
        references: [reference, ...tags.map((tag) => ({ kind: 'tag', tag }) as const)],
      };
      return changeRepository(parts, asker, place, {
        right: [action],
        push,
        action,
        apply,
        audited: auditOf,
      });
    },
    deleteManifest: (asker, place, reference) => {
      const action = actions.delete;
      const apply = (): Promise<Deleted> => pushes.deleteManifest({ ...place, reference });
      return changeRepository(parts, asker, place, {
        right: [action],
        action,
        apply,
        audited: auditOf,
      });
    },
  } satisfies Partial<ContentChanges>;
}

function blobChanges(parts: ContentChangesParts) {
  const { pushes } = parts;
  return {
    putBlob: async (asker, place, blob, signal) => {
      const push = { ...place, ...blob, owner: ownerOf(asker) };
      await changeRepository(parts, asker, place, {
        right: wholeBlobActions,
        push: { references: [] },
        action: actions.finishUpload,
        apply: () => pushes.putBlob(push, signal),
        audited: auditOf,
      });
    },
    deleteBlob: async (asker, place, digest) =>
      changeRepository(parts, asker, place, {
        right: [actions.delete],
        action: actions.delete,
        apply: () => pushes.deleteBlob({ ...place, digest }),
        audited: () => auditOf({ digest }),
      }),
    startUpload: (asker, place, algorithm, mount) =>
      changeRepository(parts, asker, place, {
        right: [actions.startUpload],
        push: { references: [] },
        action: actions.startUpload,
        apply: () => beginUpload(parts, asker, place, algorithm, mount),
        audited: (begun) => (begun.kind === 'mounted' ? auditOfMount(begun) : undefined),
      }),
  } satisfies Partial<ContentChanges>;
}

function openUploads(parts: ContentChangesParts) {
  const { admission, audit, pushes } = parts;
  /** Nothing of the repository has changed yet: an upload is its owner's. */
  const within = async <T>(asker: Asker, place: Place, run: () => Promise<T>): Promise<T> => {
    await admission.require(asker, place, [actions.appendUpload]);
    return recordingRefusal(audit, asker, place, actions.appendUpload, run);
  };
  return {
    uploadState: (asker, place, id) =>
      within(asker, place, () => pushes.uploadState({ ...place, id })),
    appendUpload: (asker, place, id, read, signal) =>
      within(asker, place, async () => {
        requireAdmitted(place, []);
        return pushes.appendUpload({ ...place, ...read(), id }, signal);
      }),
    cancelUpload: (asker, place, id) =>
      within(asker, place, () => pushes.cancelUpload({ ...place, id })),
    completeUpload: (asker, place, named, signal) =>
      completeUpload(parts, asker, place, named, signal),
    finishUpload: async (asker, place, id, read, signal) => {
      const { digest } = await changeRepository(parts, asker, place, {
        right: [actions.appendUpload, actions.finishUpload],
        push: { references: [] },
        action: actions.finishUpload,
        apply: async () => {
          const last = read();
          await pushes.finishUpload({ ...place, ...last, id }, signal);
          return last;
        },
        audited: auditOf,
      });
      return digest;
    },
  } satisfies Partial<ContentChanges>;
}

async function completeUpload(
  parts: ContentChangesParts,
  asker: Asker,
  place: Place,
  { id, digest }: { readonly id: string; readonly digest: Digest },
  signal: AbortSignal,
): Promise<void> {
  const { pushes } = parts;
  await changeRepository(parts, asker, place, {
    right: [actions.finishUpload],
    push: { references: [] },
    action: actions.finishUpload,
    apply: async () => {
      if (wasWritten('holdBlob')) return;
      if ((await pushes.uploadState({ ...place, id })).size === 0)
        throw new RegistryError('uploadInvalid', 'nothing was uploaded', {
          kind: 'uploadEmpty',
          detail: { id },
        });
      const nothing = { range: undefined, bytes: 0, body: noBytes() };
      await pushes.finishUpload({ ...place, ...nothing, id, digest }, signal);
    },
    audited: () => auditOf({ digest }),
  });
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}

async function beginUpload(
  parts: ContentChangesParts,
  asker: Asker,
  place: Place,
  algorithm: DigestAlgorithm,
  mount: MountRequest | undefined,
): Promise<BegunUpload> {
  const { pushes } = parts;
  await pushes.requirePush(place);
  const from = mount && (await mountBlob(parts, asker, place, mount));
  if (mount !== undefined && from !== undefined)
    return { kind: 'mounted', digest: mount.digest, from };
  const upload = await pushes.startUpload({ ...place, owner: ownerOf(asker), algorithm });
  return { kind: 'upload', upload };
}

/** Where the blob, which is this repository's now, was mounted from. A source that may not be read is as good as none. */
async function mountBlob(
  { admission, pushes, places, metadata }: ContentChangesParts,
  asker: Asker,
  place: Place,
  mount: MountRequest,
): Promise<RepositoryName | undefined> {
  const setting = await readAccountSetting(metadata, place.registry, 'BLOB_MOUNTING');
  if (setting !== 'ENABLED') return undefined;
  if (!(await admission.may(asker, place, wholeBlobActions))) return undefined;
  const { digest } = mount;
  let narrow: RegistryError | undefined;
  for (const from of await pushes.mountSources({ ...place, ...mount })) {
    const source = places.at(place.registry, from);
    if (!isAdmitted(source.target)) continue;
    if (await admission.may(asker, source, [actions.getBlob])) {
      if (await pushes.mountBlob({ ...place, digest, from })) return from;
      continue;
    }
    // Another source may be within the token.
    if (await admission.isNarrowed(asker, source, actions.getBlob))
      narrow ??= sourceNotInToken(from);
  }
  if (narrow !== undefined) throw narrow;
  return undefined;
}

function sourceNotInToken(source: RepositoryName): RegistryError {
  return new RegistryError('unauthorized', 'the token was not made for the source of the mount', {
    detail: { error: 'insufficient_scope', source },
  });
}

/** A mount completes the upload that it makes needless. */
function auditOfMount({ digest, from }: BegunUpload & { readonly kind: 'mounted' }): AuditedChange {
  return { action: actions.finishUpload, detail: { digest, mountedFrom: from } };
}

function auditOf({ digest, tags = [] }: { digest: Digest; tags?: readonly Tag[] }): AuditedChange {
  const list = tags.length === 0 ? {} : { tags: tags.join(' ').slice(0, tagsCharactersMax) };
  return { detail: { digest, ...list } };
}

/** For whom open uploads are counted: nobody takes all the room. */
function ownerOf({ caller }: Asker): string {
  return describePrincipal(caller.principal);
}
