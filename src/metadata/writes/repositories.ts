import type { LabelChange } from '../../domain/names/label.ts';
import { withLabels } from '../../domain/names/label.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { RepositoryAttributes } from '../contract/rows.ts';
import { readMembers, writeMembers } from '../rows/setting-members.ts';
import type { SettingMember } from '../rows/setting-members.ts';
import type { Sql } from '../sql/schema.ts';
import { addRepository, keepRepository, lockRepository } from '../rows/repository-row.ts';
import type { RepositoryInput } from '../rows/repository-row.ts';

export async function createRepository(sql: Sql, input: RepositoryInput): Promise<boolean> {
  return (await addRepository(sql, input, input, input.now)) !== undefined;
}

export async function setTagMutability(
  sql: Sql,
  input: RepositoryKey & { readonly tagMutability: TagMutability },
): Promise<boolean> {
  return updateRepository(sql, input, { tag_mutability: JSON.stringify(input.tagMutability) });
}

export async function setRepositoryPolicy(
  sql: Sql,
  input: RepositoryKey & { readonly text: string | undefined },
): Promise<boolean> {
  return updateRepository(sql, input, { policy: input.text ?? null });
}

async function updateRepository(
  sql: Sql,
  key: RepositoryKey,
  set: {
    readonly tag_mutability?: string;
    readonly policy?: string | null;
    readonly attributes?: string;
  },
): Promise<boolean> {
  const row = await sql
    .updateTable('repositories')
    .set(set)
    .where('registry', '=', key.registry)
    .where('name', '=', key.repository)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export async function changeRepositoryTags(
  sql: Sql,
  input: RepositoryKey & LabelChange & { readonly tagsMax: number },
): Promise<'changed' | 'notFound' | 'tooMany'> {
  const locked = await lockRepository(sql, input);
  if (locked === undefined) return 'notFound';
  const attributes = attributesOf(locked);
  const tags = withLabels(attributes.tags ?? [], input);
  if (tags.length > input.tagsMax) return 'tooMany';
  await updateRepository(sql, input, { attributes: JSON.stringify({ ...attributes, tags }) });
  return 'changed';
}

function attributesOf({
  attributes,
}: {
  readonly attributes: string | null;
}): RepositoryAttributes {
  return attributes === null ? {} : (JSON.parse(attributes) as RepositoryAttributes);
}

export async function setScanOnPush(
  sql: Sql,
  input: RepositoryKey & { readonly scanOnPush: boolean },
): Promise<boolean> {
  const locked = await lockRepository(sql, input);
  if (locked === undefined) return false;
  const next = { ...attributesOf(locked), scanOnPush: input.scanOnPush };
  return updateRepository(sql, input, { attributes: JSON.stringify(next) });
}

export async function setRegistrySetting(
  sql: Sql,
  input: {
    readonly registry: RegistryKey;
    readonly name: string;
    readonly value: string | undefined;
    readonly now: number;
  },
): Promise<void> {
  const { registry, name, value, now } = input;
  if (value === undefined) {
    await sql
      .deleteFrom('registry_settings')
      .where('registry', '=', registry)
      .where('name', '=', name)
      .execute();
    return;
  }
  await sql
    .insertInto('registry_settings')
    .values({ registry, name, value, updated_at: now })
    .onConflict((conflict) =>
      conflict.columns(['registry', 'name']).doUpdateSet({ value, updated_at: now }),
    )
    .execute();
}

interface SettingKey {
  readonly registry: RegistryKey;
  readonly name: string;
}

export async function addToRegistrySetting(
  sql: Sql,
  input: SettingKey & {
    readonly member: string;
    readonly membersMax: number;
    readonly now: number;
  },
): Promise<'added' | 'exists' | 'tooMany'> {
  const { member, membersMax, now } = input;
  const members = await lockMembers(sql, input, now);
  if (members.some((each) => each.member === member)) return 'exists';
  if (members.length >= membersMax) return 'tooMany';
  const value = writeMembers([...members, { member, at: now }]);
  await setRegistrySetting(sql, { ...input, value });
  return 'added';
}

export async function removeFromRegistrySetting(
  sql: Sql,
  input: SettingKey & { readonly member: string; readonly now: number },
): Promise<boolean> {
  const members = await lockMembers(sql, input, input.now);
  const left = members.filter((each) => each.member !== input.member);
  if (left.length === members.length) return false;
  await setRegistrySetting(sql, { ...input, value: writeMembers(left) });
  return true;
}

/** The row is kept from other processes' writes until the transaction ends, also where it is made by this. */
async function lockMembers(
  sql: Sql,
  { registry, name }: SettingKey,
  now: number,
): Promise<readonly SettingMember[]> {
  const row = await sql
    .insertInto('registry_settings')
    .values({ registry, name, value: writeMembers([]), updated_at: now })
    .onConflict((conflict) =>
      conflict
        .columns(['registry', 'name'])
        .doUpdateSet((eb) => ({ updated_at: eb.ref('registry_settings.updated_at') })),
    )
    .returning('value')
    .executeTakeFirst();
  return readMembers(row?.value);
}

export async function stopRepository(
  sql: Sql,
  input: RepositoryKey & { readonly reason: string | undefined; readonly now: number },
): Promise<boolean> {
  const { id, made } = await keepRepository(sql, input, false, input.now);
  await sql
    .updateTable('repositories')
    .set(
      input.reason === undefined
        ? { stopped_at: null, stopped_reason: null }
        : { stopped_at: input.now, stopped_reason: input.reason },
    )
    .where('id', '=', id)
    .execute();
  return made;
}
