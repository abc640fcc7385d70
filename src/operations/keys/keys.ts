import type { Asker, Audit } from '../../access/access.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import type { KeySettings, KeyStore } from '../../access/secrets/key-store.ts';
import type { KeysView, RotationView, SealedCount } from '../../contract/keys-view.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import { isoTime } from '../page.ts';
import type { Places } from '../places.ts';
import type { KeyRotation, Rotation } from './key-rotation.ts';

/** The server's own keys. For the operator alone; that is the front-end's to ask. */
export interface KeyOperations {
  view(): Promise<KeysView>;
  /** Begins to seal everything by the first key, or by a new one, and answers at once; the view says how far it is. */
  rotate(asker: Asker): Promise<KeysView>;
}

export interface KeysParts {
  readonly serverKeys: {
    readonly keys: Pick<KeyStore, 'masters'>;
    readonly settings: () => Pick<KeySettings, 'from'>;
    readonly rotation: Pick<KeyRotation, 'last' | 'start'>;
  };
  readonly metadata: Pick<Metadata, 'sealed'>;
  readonly places: Pick<Places, 'home'>;
  readonly audit: Audit;
}

export function createKeyOperations(parts: KeysParts): KeyOperations {
  const { serverKeys, audit, places } = parts;
  const view = (): Promise<KeysView> => viewKeys(parts);
  return {
    view,
    rotate: async (asker) => {
      serverKeys.rotation.start();
      audit.record(
        changeOf(asker, 'breakwater:RotateKeys', { registry: places.home, resource: 'keys' }),
      );
      return view();
    },
  };
}

async function viewKeys({ serverKeys, metadata }: KeysParts): Promise<KeysView> {
  const { keys, settings, rotation } = serverKeys;
  const counts = new Map<string, SealedCount>();
  const none = (id: string): SealedCount => ({ id, accessKeys: 0, secretValues: 0 });
  for (const { kind, key, count } of await metadata.sealed.countSealed())
    counts.set(key, { ...(counts.get(key) ?? none(key)), [kind]: count });
  const here = keys.masters.map(({ id, source, createdAt, supersededAt }, index) => ({
    ...(counts.get(id) ?? none(id)),
    source,
    seals: index === 0,
    createdAt: createdAt === 0 ? null : isoTime(createdAt),
    supersededAt: index === 0 || supersededAt === undefined ? null : isoTime(supersededAt),
  }));
  const missing = [...counts.values()].filter(({ id }) => here.every((key) => key.id !== id));
  const { last } = rotation;
  return {
    from: settings().from,
    keys: here,
    missing,
    rotation: last === undefined ? null : viewRotation(last),
  };
}

function viewRotation(rotation: Rotation): RotationView {
  const { startedAt, endedAt, key, problem, ...rest } = rotation;
  return {
    ...rest,
    startedAt: isoTime(startedAt),
    endedAt: endedAt === undefined ? null : isoTime(endedAt),
    key: key ?? null,
    problem: problem ?? null,
  };
}
