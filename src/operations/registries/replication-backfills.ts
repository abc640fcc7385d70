import type { Asker } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { RegistryError } from '../../domain/errors.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import type { Places, RegistryInput } from '../places.ts';

/** Copies of what is there already to a destination: nothing copies here, so that none can be begun, and none is there. Each throws `RegistryError`. */
export interface ReplicationBackfills {
  /** Whoever may is told that nothing replicates here. */
  start(asker: Asker, input: RegistryInput): Promise<never>;
  stop(asker: Asker, input: RegistryInput & { readonly id: string }): Promise<never>;
  results(asker: Asker, input: RegistryInput & { readonly id: string }): Promise<never>;
  /** There is none. */
  list(asker: Asker, input: RegistryInput): Promise<void>;
}

export function createReplicationBackfills(parts: {
  readonly admission: Pick<Admission, 'requireInRegistry'>;
  readonly places: Places;
}): ReplicationBackfills {
  const admit = (asker: Asker, input: RegistryInput, action: Action): Promise<void> =>
    parts.admission.requireInRegistry(asker, action, parts.places.registry(input, asker));
  const unknown = (id: string): RegistryError =>
    new RegistryError('nameUnknown', `there is no replication backfill ${id}`, {
      kind: 'backfillUnknown',
    });
  return {
    start: async (asker, input) => {
      await admit(asker, input, actions.startReplicationBackfill);
      throw new RegistryError(
        'requestInvalid',
        'nothing replicates here: push to the destination, or pull through it',
        {
          kind: 'engineNotAvailable',
        },
      );
    },
    stop: async (asker, { id, ...input }) => {
      await admit(asker, input, actions.stopReplicationBackfill);
      throw unknown(id);
    },
    results: async (asker, { id, ...input }) => {
      await admit(asker, input, actions.describeReplicationBackfillResults);
      throw unknown(id);
    },
    list: (asker, input) => admit(asker, input, actions.listReplicationBackfills),
  };
}
