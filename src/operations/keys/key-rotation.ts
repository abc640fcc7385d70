import type { KeyStore } from '../../access/secrets/key-store.ts';
import { errorText } from '../../domain/error-text.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { SealedKind, SealedRow } from '../../metadata/contract/sealed.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { Lease, Leases } from '../../ports/leases.ts';
import { nameOfSealed, ownerOfSealed, sealedKinds } from './sealed-owner.ts';

export interface KeyRotationParts {
  readonly keys: KeyStore;
  readonly metadata: { readonly sealed: Metadata['sealed'] };
  readonly invalidations: Pick<Invalidations, 'note'>;
  readonly leases: Leases;
  readonly clock: Clock;
  /** One line for the log. */
  readonly note: (message: string, about: Readonly<Record<string, unknown>>) => void;
  readonly failed: (message: string, about: Readonly<Record<string, unknown>>) => void;
}

/** How far a rotation is; times in wall ms. */
export interface Rotation {
  phase: 'settling' | 'sealing' | 'done' | 'failed';
  readonly startedAt: number;
  endedAt: number | undefined;
  /** The id of the key that seals. */
  key: string | undefined;
  madeKey: boolean;
  resealed: number;
  unopened: number;
  unopenedNames: readonly string[];
  problem: string | undefined;
}

/**
 * Seals anew, by the first key, whatever older ones have sealed, page by page, while everything goes on. Each page is a transaction that
 * takes what is still as it was read, so that it may end anywhere, and the next one goes on. Where there is nothing to go on with, and the
 * keys are files, a new key is made first.
 */
export interface KeyRotation extends AsyncDisposable {
  /** The last one since the start. */
  readonly last: Rotation | undefined;
  /** Begins, or answers the one that is under way. */
  start(): Rotation;
  /** Settles when none is under way. */
  settled(): Promise<void>;
  /** Removes files of keys that nothing can need any more: nothing is sealed by them, and what they signed or sealed for clients has ended. */
  retire(): Promise<void>;
}

const leaseName = 'rotate keys';
const leaseMs = 60_000;
const rowsPerPage = 200;
/** Once its own new key seals, it takes so long until every other process seals by it too. */
const othersMs = 3000;
const namesMax = 20;
/** What is signed or sealed for clients is good for so long: ECR passwords and sessions 12 hours, an hour for clocks that differ. */
const clientsMs = 13 * 3_600_000;

export function createKeyRotation(parts: KeyRotationParts): KeyRotation {
  const { clock } = parts;
  const ending = new AbortController();
  let last: Rotation | undefined;
  let running: Promise<void> | undefined;
  return {
    get last() {
      return last;
    },
    start: () => {
      if (last !== undefined && running !== undefined) return last;
      const rotation: Rotation = {
        phase: 'settling',
        startedAt: clock.now(),
        endedAt: undefined,
        key: undefined,
        madeKey: false,
        resealed: 0,
        unopened: 0,
        unopenedNames: [],
        problem: undefined,
      };
      last = rotation;
      running = run(parts, rotation, ending.signal).finally(() => (running = undefined));
      return rotation;
    },
    settled: async () => await running,
    retire: () => retireKeys(parts),
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

async function run(parts: KeyRotationParts, rotation: Rotation, ended: AbortSignal): Promise<void> {
  const { clock, leases, note, failed } = parts;
  try {
    await using lease = await leases.take(leaseName, leaseMs);
    if (lease === undefined)
      throw new RegistryError('conflict', 'another process seals by another key just now');
    await rotate(parts, rotation, { lease, ended });
    rotation.phase = 'done';
  } catch (error) {
    rotation.phase = 'failed';
    rotation.problem = `${errorText(error)}; run it again to go on`;
  }
  rotation.endedAt = clock.now();
  const { key, resealed, unopened, problem } = rotation;
  if (problem === undefined) note('secrets are sealed anew', { key, resealed, unopened });
  else failed('secrets could not all be sealed anew', { key, resealed, error: problem });
}

interface Going {
  readonly lease: Lease;
  readonly ended: AbortSignal;
}

async function rotate(parts: KeyRotationParts, rotation: Rotation, going: Going): Promise<void> {
  const { keys, invalidations } = parts;
  await keys.reload();
  if (!(await sealByFirst(parts, rotation, going))) {
    rotation.madeKey = await keys.add();
    if (rotation.madeKey) {
      invalidations.note({ kind: 'keys' });
      await sealByFirst(parts, rotation, going);
    }
  }
  await retireKeys(parts);
  invalidations.note({ kind: 'keys' });
}

/** False where nothing was left to seal. */
async function sealByFirst(
  parts: KeyRotationParts,
  rotation: Rotation,
  going: Going,
): Promise<boolean> {
  const { keys, invalidations } = parts;
  const settles = keys.settlesInMs > 0;
  rotation.key = keys.masters[0]?.id;
  if (settles) {
    invalidations.note({ kind: 'keys' });
    rotation.phase = 'settling';
    await pause(parts, keys.settlesInMs, going);
  }
  const before = rotation.resealed;
  await sealAll(parts, rotation, going);
  if (settles) {
    // Another process may have sealed by its older key until it had settled too.
    await pause(parts, othersMs, going);
    await sealAll(parts, rotation, going);
  }
  return rotation.resealed > before;
}

async function sealAll(
  { keys, metadata }: KeyRotationParts,
  rotation: Rotation,
  going: Going,
): Promise<void> {
  rotation.phase = 'sealing';
  rotation.unopened = 0;
  rotation.unopenedNames = [];
  const notBy = rotation.key ?? '';
  for (const kind of sealedKinds) {
    let after: readonly string[] | undefined;
    do {
      await mayGoOn(going);
      const page = { notBy, after, limit: rowsPerPage };
      const rows = await metadata.sealed.listSealed(kind, page);
      const anew = rows.flatMap((row) => sealAnew(keys, kind, row, rotation));
      if (anew.length > 0) rotation.resealed += await metadata.sealed.reseal({ kind, rows: anew });
      after = rows.length < rowsPerPage ? undefined : rows.at(-1)?.id;
    } while (after !== undefined);
  }
}

/** What can't be opened stays, and is told. */
function sealAnew(
  keys: KeyStore,
  kind: SealedKind,
  row: SealedRow,
  rotation: Rotation,
): Parameters<Metadata['sealed']['reseal']>[0]['rows'] {
  const owner = ownerOfSealed(kind, row);
  try {
    const after = keys.seal(keys.open(row.sealed, owner), owner);
    return [{ id: row.id, before: row.sealed, after }];
  } catch {
    rotation.unopened += 1;
    if (rotation.unopenedNames.length < namesMax)
      rotation.unopenedNames = [...rotation.unopenedNames, nameOfSealed(kind, row)];
    return [];
  }
}

async function mayGoOn({ lease, ended }: Going): Promise<void> {
  if (ended.aborted) throw new RegistryError('unavailable', 'the server was shut down');
  if (!(await lease.renew()))
    throw new RegistryError('conflict', 'another process took over the sealing');
}

async function pause({ clock }: KeyRotationParts, ms: number, going: Going): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  going.ended.addEventListener('abort', stop, { once: true });
  using _timer = clock.after(ms, resolve);
  await promise;
  going.ended.removeEventListener('abort', stop);
  await mayGoOn(going);
}

async function retireKeys({ keys, metadata, clock, note }: KeyRotationParts): Promise<void> {
  await keys.supersede();
  const over = clock.now() - clientsMs;
  const isOver = (at: number | undefined): boolean => at !== undefined && at <= over;
  if (![...keys.masters, ...keys.signing].some(({ supersededAt }) => isOver(supersededAt))) return;
  const used = new Set((await metadata.sealed.countSealed()).map(({ key }) => key));
  const retired = await keys.retire(
    ({ id, supersededAt }, purpose) =>
      isOver(supersededAt) && !(purpose === 'master' && used.has(id)),
  );
  if (retired.length > 0) note('keys that nothing needs are removed', { keys: retired.join(' ') });
}
