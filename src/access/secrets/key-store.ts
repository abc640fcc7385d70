import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import { KeysUnavailable, parseKeys, signingKeyOf } from './given-keys.ts';
import { runKeyCommand } from './key-command.ts';
import type { KeyPurpose } from './key-files.ts';
import { addKey, markKey, readKeyFiles, removeKey } from './key-files.ts';
import type { KeySource, StoredKey } from './sealing.ts';
import { KeyMissing, open, seal } from './sealing.ts';

/** Where keys come from. */
export interface KeySettings {
  /** Never empty. The keys of the first are those that seal and sign; all open and verify. */
  readonly from: readonly KeySource[];
  /** The variable that holds keys. */
  readonly environment: string;
  /** Prints keys. */
  readonly command: readonly string[];
  readonly commandTimeoutMs: number;
}

export interface KeyOptions {
  readonly settings: KeySettings;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What is done with the keys that seal. */
export interface Sealing {
  /** Encrypts a text so that it opens only as that of `owner`, which names what it is of: `v1.<key>.<base64url>`. */
  seal(text: string, owner: string): string;
  /** Throws where the text was changed, is another owner's, or its key is gone. */
  open(sealed: string, owner: string): string;
}

/**
 * The server's own keys. Processes that share a database share them: a new key opens in all of them before one of them seals by it.
 */
export interface KeyStore extends Sealing {
  /** That which signs first; all of them verify. Never empty. The same list until it changes. */
  readonly signing: readonly StoredKey[];
  /** That which seals, or will once it has settled, first; all of them open. Never empty. */
  readonly masters: readonly StoredKey[];
  /** For how many ms yet older keys seal and sign in the place of new ones; 0: the first do. */
  readonly settlesInMs: number;
  /** Reads the sources again. Where one can't be read it throws, and the keys that were there stay. */
  reload(): Promise<void>;
  /** Makes new keys in `dataDir/keys`; false where the first source is another, whose keys are its operator's to make. */
  add(): Promise<boolean>;
  /** Notes of all files but the first since when they are used for nothing new, where that is not noted yet. */
  supersede(): Promise<void>;
  /** Removes the files of which `isUnused` says so, but the first. Answers their ids. */
  retire(isUnused: (key: StoredKey, purpose: KeyPurpose) => boolean): Promise<readonly string[]>;
}

/** Within it every process of a database has heard of a new key. */
const settleMs = 5000;
/** Between looks for a key that is not here; anyone can name such a one. */
const lookAgainMs = 30_000;

const files: KeyOptions = {
  settings: { from: ['file'], environment: '', command: [], commandTimeoutMs: 0 },
  env: {},
};

/**
 * Reads the keys: of `dataDir/keys` (one file a key, 0600, in a folder 0700; the first start makes one for each purpose), of a variable, or of
 * a command. Throws where a source has none, a file is malformed, or others than owner and group may read it.
 */
export async function openKeyStore(
  dataDir: string,
  clock: Clock,
  options: KeyOptions = files,
): Promise<KeyStore> {
  const { from } = options.settings;
  if (from[0] === 'file')
    for (const purpose of ['master', 'signing'] as const)
      if ((await readKeyFiles(dataDir, purpose)).length === 0)
        await addKey(dataDir, purpose, clock);
  return new Keys(dataDir, clock, options, await readKeys(dataDir, clock, options));
}

type KeySets = Readonly<Record<KeyPurpose, readonly StoredKey[]>>;

/** What the sources have now, which is never nothing; makes no key. Throws where one can't be read. */
export async function readKeys(
  dataDir: string,
  clock: Clock,
  { settings, env }: KeyOptions,
): Promise<KeySets> {
  const master: StoredKey[] = [];
  const signing: StoredKey[] = [];
  const add = (into: StoredKey[], keys: readonly StoredKey[]): void => {
    into.push(...keys.filter(({ id }) => into.every((known) => known.id !== id)));
  };
  for (const source of settings.from) {
    if (source === 'file') {
      add(master, await readKeyFiles(dataDir, 'master'));
      add(signing, await readKeyFiles(dataDir, 'signing'));
      continue;
    }
    const given =
      source === 'environment'
        ? keysOfEnvironment(settings.environment, env)
        : parseKeys(
            await runKeyCommand(settings.command, settings.commandTimeoutMs, clock),
            source,
            'what keys.command prints',
          );
    add(master, given);
    add(signing, given.map(signingKeyOf));
  }
  if (master.length === 0 || signing.length === 0)
    throw new KeysUnavailable(
      `keys.from (${settings.from.join(', ')}) has no key${settings.from.includes('file') ? `: ${join(dataDir, 'keys')} is empty; bring it back from a backup` : ''}`,
    );
  return { master, signing };
}

function keysOfEnvironment(name: string, env: KeyOptions['env']): readonly StoredKey[] {
  const text = env[name];
  if (text === undefined)
    throw new KeysUnavailable(
      `keys.environment: the variable ${name} is not set, from which keys.from takes keys`,
    );
  return parseKeys(text, 'environment', `the variable ${name}`);
}

interface FileKey {
  readonly purpose: KeyPurpose;
  readonly key: StoredKey;
  readonly isFirst: boolean;
}

class Keys implements KeyStore {
  readonly #dataDir: string;
  readonly #clock: Clock;
  readonly #options: KeyOptions;
  #sets: KeySets;
  #mastersById: ReadonlyMap<string, StoredKey>;
  /** While new keys only open and verify: the same with these at the end. */
  #settling: { readonly sets: KeySets; readonly ids: ReadonlySet<string> } | undefined;
  #settledAt = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(dataDir: string, clock: Clock, options: KeyOptions, sets: KeySets) {
    this.#dataDir = dataDir;
    this.#clock = clock;
    this.#options = options;
    this.#sets = sets;
    this.#mastersById = byId(sets.master);
  }

  get masters(): readonly StoredKey[] {
    return this.#sets.master;
  }

  get signing(): readonly StoredKey[] {
    return this.#inUse().signing;
  }

  get settlesInMs(): number {
    return this.#settling === undefined ? 0 : Math.max(0, this.#settledAt - this.#clock.elapsed());
  }

  seal(text: string, owner: string): string {
    const [key] = this.#inUse().master;
    if (key === undefined) throw new Error('there is no master key');
    return seal(text, owner, key);
  }

  open(sealed: string, owner: string): string {
    try {
      return open(sealed, owner, this.#mastersById);
    } catch (error) {
      if (error instanceof KeyMissing) this.#lookAgain();
      throw error;
    }
  }

  async reload(): Promise<void> {
    this.#lookedAt = this.#clock.elapsed();
    const sets = await readKeys(this.#dataDir, this.#clock, this.#options);
    const fresh = new Set(this.settlesInMs === 0 ? [] : this.#settling?.ids);
    const known = new Set([...this.#sets.master, ...this.#sets.signing].map(({ id }) => id));
    const added = [...sets.master, ...sets.signing].filter(({ id }) => !known.has(id));
    for (const { id } of added) fresh.add(id);
    if (added.length > 0) this.#settledAt = this.#clock.elapsed() + settleMs;
    this.#sets = sets;
    this.#mastersById = byId(sets.master);
    const last = (keys: readonly StoredKey[]): readonly StoredKey[] => [
      ...keys.filter(({ id }) => !fresh.has(id)),
      ...keys.filter(({ id }) => fresh.has(id)),
    ];
    const settling = { master: last(sets.master), signing: last(sets.signing) };
    this.#settling = fresh.size === 0 ? undefined : { sets: settling, ids: fresh };
  }

  async add(): Promise<boolean> {
    if (this.#options.settings.from[0] !== 'file') return false;
    await addKey(this.#dataDir, 'signing', this.#clock);
    await addKey(this.#dataDir, 'master', this.#clock);
    await this.reload();
    return true;
  }

  async supersede(): Promise<void> {
    const now = this.#clock.now();
    const unmarked = this.#olderFiles().filter(({ key }) => key.supersededAt === undefined);
    for (const { purpose, key } of unmarked)
      await markKey(this.#dataDir, purpose, { ...key, supersededAt: now });
    // One that seals again, by another order of the sources, begins anew.
    const again = this.#files().filter(({ key, isFirst }) => isFirst && key.supersededAt);
    for (const { purpose, key } of again)
      await markKey(this.#dataDir, purpose, { ...key, supersededAt: undefined });
    if (unmarked.length + again.length > 0) await this.reload();
  }

  async retire(
    isUnused: (key: StoredKey, purpose: KeyPurpose) => boolean,
  ): Promise<readonly string[]> {
    const unused = this.#olderFiles().filter(({ purpose, key }) => isUnused(key, purpose));
    for (const { purpose, key } of unused) await removeKey(this.#dataDir, purpose, key.id);
    if (unused.length > 0) await this.reload();
    return unused.map(({ key }) => key.id);
  }

  #inUse(): KeySets {
    if (this.#settling === undefined) return this.#sets;
    if (this.settlesInMs > 0) return this.#settling.sets;
    this.#settling = undefined;
    return this.#sets;
  }

  #files(): readonly FileKey[] {
    return (['master', 'signing'] as const).flatMap((purpose) =>
      this.#sets[purpose]
        .map((key, index) => ({ purpose, key, isFirst: index === 0 }))
        .filter(({ key }) => key.source === 'file'),
    );
  }

  #olderFiles(): readonly FileKey[] {
    return this.#files().filter(({ isFirst }) => !isFirst);
  }

  /** Another process may have made it. What can't be read is told by whoever reads it next and waits for it. */
  #lookAgain(): void {
    if (this.#clock.elapsed() - this.#lookedAt < lookAgainMs) return;
    this.#lookedAt = this.#clock.elapsed();
    void this.reload().catch(() => {});
  }
}

function byId(keys: readonly StoredKey[]): ReadonlyMap<string, StoredKey> {
  return new Map(keys.map((key) => [key.id, key]));
}
