import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readKeys } from '../access/secrets/key-store.ts';
import { open } from '../access/secrets/sealing.ts';
import type { StoredKey } from '../access/secrets/sealing.ts';
import type { Check } from '../cli/command-context.ts';
import { failed, passed, warned } from '../cli/doctor/report.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../coordination/system-clock.ts';
import { errorText } from '../domain/error-text.ts';
import type { SealedKind, SealedRow } from '../metadata/contract/sealed.ts';
import { nameOfSealed, ownerOfSealed } from '../operations/keys/sealed-owner.ts';
import { hasTable } from './rules-inspection.ts';

const namesMax = 5;
const openingMs = 10_000;

/** The keys that seal: where they are, who else may read them, what each has sealed, and whether all of it opens. Works beside a server. */
export async function inspectKeys(
  config: Config,
  env: NodeJS.ProcessEnv,
): Promise<readonly Check[]> {
  const { dataDir, keys: settings } = config;
  const folder = join(dataDir, 'keys');
  const file = join(dataDir, 'metadata.sqlite');
  if (settings.from[0] === 'file' && !existsSync(folder) && !existsSync(file))
    return [passed(`keys are made in ${folder} at the first start`)];
  let masters: readonly StoredKey[];
  try {
    masters = (await readKeys(dataDir, systemClock, { settings, env })).master;
  } catch (error) {
    const hint = settings.from.includes('environment')
      ? 'run this with the environment of the server'
      : undefined;
    return [
      failed(`keys can be had (keys.from: ${settings.from.join(', ')})`, errorText(error), hint),
    ];
  }
  return [
    ...masters.map((key, index) =>
      passed(`key ${key.id} ${index === 0 ? 'seals' : 'opens'} (${placeOf(key, config)})`),
    ),
    ...(settings.from.includes('file') ? await inspectFolder(folder) : []),
    ...(existsSync(file) ? inspectSealed(file, masters) : []),
  ];
}

function placeOf({ source }: StoredKey, { dataDir, keys }: Config): string {
  if (source === 'file') return join(dataDir, 'keys');
  return source === 'environment'
    ? `the variable ${keys.environment}`
    : `the command ${keys.command[0]}`;
}

/** The files themselves are refused where others may read them. */
async function inspectFolder(folder: string): Promise<readonly Check[]> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) return [];
  const mode = (found.mode & 0o777).toString(8);
  const closed =
    (found.mode & 0o007) === 0
      ? passed('keys are closed to others')
      : failed('keys are closed to others', `mode ${mode} of ${folder}`, `chmod 700 ${folder}`);
  return [
    closed,
    passed(
      `${folder} lies beside the database: a backup of both opens what is sealed; keys.from takes keys from elsewhere`,
    ),
  ];
}

function inspectSealed(file: string, masters: readonly StoredKey[]): readonly Check[] {
  const keys = new Map(masters.map((key) => [key.id, key]));
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    const counts = new Map<string, number>();
    const unopened: string[] = [];
    const until = performance.now() + openingMs;
    let unread = 0;
    for (const { kind, row } of sealedIn(database)) {
      const id = row.sealed.split('.')[1] ?? '';
      counts.set(id, (counts.get(id) ?? 0) + 1);
      if (!keys.has(id)) continue;
      if (performance.now() > until) unread += 1;
      else if (!opens(kind, row, keys)) unopened.push(nameOfSealed(kind, row));
    }
    return [
      ...[...counts].map(([id, count]) => judgeKey(id, count, masters)),
      judgeOpening(unopened, unread),
    ];
  } catch (error) {
    return [failed('what is sealed can be read', errorText(error))];
  }
}

export function judgeKey(
  id: string,
  count: number,
  masters: readonly Pick<StoredKey, 'id'>[],
): Check {
  const description = `${count} ${count === 1 ? 'secret is' : 'secrets are'} sealed by key ${id}`;
  if (masters[0]?.id === id) return passed(description);
  if (masters.some((key) => key.id === id))
    return warned(description, 'it seals no more', 'breakwater keys rotate seals them anew');
  return failed(
    description,
    'it is not here: none of them can be used',
    'bring the key back from a backup, or name its source in keys.from',
  );
}

function judgeOpening(unopened: readonly string[], unread: number): Check {
  const more = unopened.length > namesMax ? `, and ${unopened.length - namesMax} more` : '';
  if (unopened.length > 0)
    return failed(
      'what is sealed opens',
      `these cannot be opened: ${unopened.slice(0, namesMax).join('; ')}${more}`,
      'delete them and make them anew',
    );
  return passed(
    unread === 0 ? 'what is sealed opens' : `what is sealed opens, ${unread} not looked at`,
  );
}

function opens(kind: SealedKind, row: SealedRow, keys: ReadonlyMap<string, StoredKey>): boolean {
  try {
    open(row.sealed, ownerOfSealed(kind, row), keys);
    return true;
  } catch {
    return false;
  }
}

interface Found {
  readonly kind: SealedKind;
  readonly row: SealedRow;
}

/** Of a database of any version: one that has no secrets yet has no such table. */
function* sealedIn(database: DatabaseSync): Generator<Found> {
  if (hasTable(database, 'access_keys'))
    for (const row of database.prepare('select id, sealed_secret from access_keys').iterate()) {
      const { id, sealed_secret: sealed } = row as { id: string; sealed_secret: string };
      yield { kind: 'accessKeys', row: { id: [id], suffix: undefined, sealed } };
    }
  if (!hasTable(database, 'secret_values')) return;
  const values = database.prepare(
    'select v.registry, v.name, v.version, v.sealed, s.suffix from secret_values v join secrets s on s.registry = v.registry and s.name = v.name',
  );
  for (const row of values.iterate()) {
    const { registry, name, version, suffix, sealed } = row as Record<string, string>;
    const id = [registry, name, version] as string[];
    yield { kind: 'secretValues', row: { id, suffix, sealed: sealed ?? '' } };
  }
}
