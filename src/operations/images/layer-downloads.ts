import type { Asker, Caller } from '../../access/access.ts';
import type { Admission, Place } from '../../access/admission/admission.ts';
import type { DownloadTokens } from '../../access/identify/download-tokens.ts';
import type { Sealing } from '../../access/secrets/key-store.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import { keyOfRepository } from './held-images.ts';
import type { Places, RepositoryInput } from '../places.ts';
import type { Pulls, Waiting } from '../pulls.ts';

export interface LayerInput extends RepositoryInput {
  readonly digest: Digest;
}

/** What a ticket was given out for. */
export interface GrantedLayer {
  readonly caller: Caller;
  readonly place: Place;
  readonly digest: Digest;
}

/** Tickets to pull one blob without credentials, for an hour: what the URLs of GetDownloadUrlForLayer carry. */
export interface LayerDownloads {
  /** For whoever may pull the blob now; upstream is asked for one that is not held. Throws `blobUnknown` where it is nowhere. */
  grant(asker: Asker, layer: LayerInput, waiting: Waiting): Promise<string>;
  /**
   * Whom it was given to, whose rights count still, and for which blob. Throws `denied` for what is no ticket, and for one that has ended,
   * with the credential that it was asked with too.
   */
  redeem(ticket: string): Promise<GrantedLayer>;
}

export interface LayerDownloadsParts {
  readonly admission: Pick<Admission, 'require'>;
  readonly places: Places;
  readonly pulls: Pick<Pulls, 'blob'>;
  readonly metadata: Pick<Metadata, 'repositories'>;
  readonly sealing: Sealing;
  readonly downloadTokens: DownloadTokens;
}

/** That of a session with a policy and labels has some 11,000; the head of a request has 16 KiB. */
const ticketCharactersMax = 15_000;
const owner = 'layer download';

interface Sealed {
  /** For whom: of `DownloadTokens`. */
  readonly token: string;
  readonly registry: RegistryKey;
  readonly repository: string;
  readonly digest: Digest;
}

export function createLayerDownloads(parts: LayerDownloadsParts): LayerDownloads {
  const { admission, places, pulls, metadata, sealing, downloadTokens } = parts;
  return {
    grant: async (asker, { digest, ...input }, waiting) => {
      const place = places.place(input, asker);
      await admission.require(asker, place, [actions.getBlob]);
      try {
        await pulls.blob(asker, { ...place, digest, method: 'HEAD' }, waiting);
      } catch (error) {
        if (error instanceof RegistryError && error.code === 'blobUnknown')
          await keyOfRepository(metadata, place);
        throw error;
      }
      const token = await downloadTokens.issue(asker.caller);
      const { registry, target } = place;
      const sealed: Sealed = { token, registry, repository: target.repository, digest };
      return sealing.seal(JSON.stringify(sealed), owner);
    },
    redeem: async (ticket) => {
      const { token, registry, repository, digest } = open(sealing, ticket);
      const caller = await downloadTokens.callerOf(token);
      if (caller === undefined) throw ended();
      return { caller, place: places.at(registry, repository), digest };
    },
  };
}

function open(sealing: Sealing, ticket: string): Sealed {
  if (ticket.length <= ticketCharactersMax)
    try {
      return JSON.parse(sealing.open(ticket, owner)) as Sealed;
    } catch {}
  throw new RegistryError('denied', 'not a download URL of this server');
}

function ended(): RegistryError {
  return new RegistryError(
    'denied',
    'this download URL has ended: ask for a new one by GetDownloadUrlForLayer',
  );
}
