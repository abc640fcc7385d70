import { nextStep } from '../coordination/call-attempt.ts';
import { errorText } from '../domain/error-text.ts';
import { MetadataError } from './contract/metadata-error.ts';
import type { Metadata } from './contract/metadata.ts';
import * as blobLists from './lists/blobs.ts';
import * as evaluations from './lists/evaluations.ts';
import * as identityLists from './lists/identities.ts';
import * as lifecycleLists from './lists/lifecycles.ts';
import type { List, ListName } from './lists/lists.ts';
import * as policyLists from './lists/managed-policies.ts';
import * as manifestLists from './lists/manifests.ts';
import * as ownBlobLists from './lists/own-blobs.ts';
import * as recordLists from './lists/records.ts';
import * as roleLists from './lists/roles.ts';
import * as ruleLists from './lists/rules.ts';
import * as sealedLists from './lists/sealed.ts';
import * as secretLists from './lists/secrets.ts';
import * as tagLists from './lists/tags.ts';
import * as blobReads from './reads/blobs.ts';
import * as callReads from './reads/calls.ts';
import * as identityReads from './reads/identities.ts';
import * as lifecycleReads from './reads/lifecycles.ts';
import * as policyReads from './reads/managed-policies.ts';
import * as manifestReads from './reads/manifests.ts';
import * as repositoryReads from './reads/repositories.ts';
import * as roleReads from './reads/roles.ts';
import * as ruleReads from './reads/rules.ts';
import * as secretReads from './reads/secrets.ts';
import * as tagReads from './reads/tags.ts';
import * as templateReads from './reads/templates.ts';
import { prunedMax } from './rows/oldest-rows.ts';
import type { Sql } from './sql/schema.ts';
import * as blobWrites from './writes/blobs.ts';
import * as identityWrites from './writes/identities.ts';
import * as lifecycleWrites from './writes/lifecycles.ts';
import * as policyWrites from './writes/managed-policies.ts';
import * as manifestWrites from './writes/manifests.ts';
import type * as recordWrites from './writes/records.ts';
import * as repositoryWrites from './writes/repositories.ts';
import * as roleWrites from './writes/roles.ts';
import * as ruleWrites from './writes/rules.ts';
import * as sealedWrites from './writes/sealed.ts';
import * as secretWrites from './writes/secrets.ts';
import * as tagWrites from './writes/tags.ts';
import * as templateWrites from './writes/templates.ts';
import type { Write, WriteInput, WriteName, WriteOutput } from './writes/writes.ts';

/** Rows in one transaction, where a caller's may be many: others' writes come between. */
const rowsPerWrite = 500;
/** Rows of a table of a deleted repository that go in one write. */
const droppedPerWrite = 500;

const listsOfBlobs = { ...blobLists, ...ownBlobLists };

export interface MetadataSides {
  /** For point reads, in place. */
  readonly sql: Sql;
  /** For reads of many rows. */
  readonly list: List;
  readonly write: Write;
  /** Answers waiting writes, then closes all sides. */
  readonly dispose: () => Promise<void>;
}

type Query = (sql: Sql, ...input: never[]) => Promise<unknown>;
/** The functions of a module without their first parameter, the connection. */
type Bound<M> = {
  readonly [N in keyof M]: M[N] extends (sql: Sql, ...input: infer I) => infer R
    ? (...input: I) => R
    : never;
};
type Writing<M> = {
  readonly [N in keyof M & WriteName]: (input: WriteInput<N>) => Promise<WriteOutput<N>>;
};

/** The one implementation of the metadata; `sqlite.ts` and `postgres.ts` give it its sides. */
export function createMetadata({ sql, list, write, dispose }: MetadataSides): Metadata {
  let disposed: Promise<void> | undefined;
  const answered = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    if (disposed) throw new MetadataError('closed', 'the metadata is closed');
    try {
      return await run();
    } catch (error) {
      if (error instanceof MetadataError) throw error;
      const message = `metadata: the read ${name} failed: ${errorText(error)}`;
      throw new MetadataError('failed', message, error);
    }
  };
  const reading = <M extends object>(module: M): Bound<M> =>
    forwarders(module, (name, query) => {
      const read = query as (sql: Sql, ...input: readonly unknown[]) => Promise<unknown>;
      return (...input) => answered(name, () => read(sql, ...input));
    }) as Bound<M>;
  const listing = <M extends object>(module: M): Bound<M> =>
    forwarders(
      module,
      (name) =>
        (...input) =>
          answered(name, () => list(name as ListName, input)),
    ) as Bound<M>;
  const step = onTheWay(write);
  const writing = <M extends object>(module: M): Writing<M> =>
    forwarders(
      module,
      (name) => (input) => step(name as WriteName, input as WriteInput<WriteName>),
    ) as Writing<M>;
  return {
    repositories: {
      ...reading(repositoryReads),
      ...writing(repositoryWrites),
      deleteRepository: (input) => deleteRepository(write, step, input),
    },
    manifests: { ...reading(manifestReads), ...listing(manifestLists), ...writing(manifestWrites) },
    tags: { ...reading(tagReads), ...listing(tagLists), ...writing(tagWrites) },
    blobs: { ...reading(blobReads), ...listing(listsOfBlobs), ...writing(blobWrites) },
    lifecycles: {
      ...reading(lifecycleReads),
      ...listing({ ...lifecycleLists, ...evaluations }),
      ...writing(lifecycleWrites),
      expirePreviews: (input) => expireAllPreviews(write, input),
    },
    identities: {
      ...reading(identityReads),
      ...listing(identityLists),
      ...writing(identityWrites),
      ...touching(write),
    },
    roles: { ...reading(roleReads), ...listing(roleLists), ...writing(roleWrites) },
    managedPolicies: { ...reading(policyReads), ...listing(policyLists), ...writing(policyWrites) },
    templates: { ...reading(templateReads), ...writing(templateWrites) },
    rules: { ...reading(ruleReads), ...listing(ruleLists), ...writing(ruleWrites) },
    secrets: {
      ...reading(secretReads),
      ...listing(secretLists),
      ...writing(secretWrites),
      ...purging(write),
    },
    sealed: { ...listing(sealedLists), ...writing(sealedWrites) },
    records: { ...listing(recordLists), ...recordWriting(write) },
    calls: { ...reading(callReads), ...callWriting(write) },
    [Symbol.asyncDispose]: () => (disposed ??= dispose()),
  };
}

async function deleteRepository(
  write: Write,
  step: Write,
  input: WriteInput<'deleteRepository'>,
): Promise<WriteOutput<'deleteRepository'>> {
  const outcome = await step('deleteRepository', input);
  // It is deleted whatever becomes of its rows: what is left of them goes when the metadata is opened next.
  if (outcome === 'deleted') await dropAllDeleted(write).catch(() => {});
  return outcome;
}

/** A write on the way of a call is a step of it: what an earlier attempt did is answered as it was then. */
function onTheWay(write: Write): Write {
  return (name, input) => {
    const step = nextStep(name);
    if (step === undefined) return write(name, input);
    if (step.done) return Promise.resolve(step.output as WriteOutput<typeof name>);
    const { done: _, ...mine } = step;
    return write(name, input, mine);
  };
}

/** Each may be of many rows: a transaction for some of them at a time. */
function touching(write: Write): Pick<Metadata['identities'], 'touchCredentials'> {
  return {
    touchCredentials: async ({ keys, tokens }) => {
      const length = Math.max(keys.length, tokens.length);
      for (let from = 0; from < length; from += rowsPerWrite) {
        const end = from + rowsPerWrite;
        const some = { keys: keys.slice(from, end), tokens: tokens.slice(from, end) };
        await write('touchCredentials', some);
      }
    },
  };
}

/** Some of them in a transaction, until there are none. */
function purging(write: Write): Pick<Metadata['secrets'], 'purgeSecrets'> {
  return {
    purgeSecrets: async (input) => {
      while (await write('purgeSomeSecrets', input));
    },
  };
}

/** One function for each that the module exports, by its name. */
function forwarders(
  module: object,
  forward: (name: string, query: Query) => (...input: readonly unknown[]) => Promise<unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(module).map(([name, query]) => [name, forward(name, query as Query)]),
  );
}

/** Each may be of many rows: a transaction for some of them at a time. */
function recordWriting(
  write: Write,
): Pick<Metadata['records'], Extract<keyof typeof recordWrites, keyof Metadata['records']>> {
  return {
    recordPulls: async (pulls) => {
      for (let from = 0; from < pulls.length; from += rowsPerWrite)
        await write('recordPulls', pulls.slice(from, from + rowsPerWrite));
    },
    prunePulls: async (input) => {
      while ((await write('prunePulls', input)) >= prunedMax);
    },
    appendAudit: async (rows) => {
      for (let from = 0; from < rows.length; from += rowsPerWrite)
        await write('appendAudit', rows.slice(from, from + rowsPerWrite));
    },
    pruneAudit: async (input) => {
      while ((await write('pruneAudit', input)) >= prunedMax);
    },
  };
}

function callWriting(write: Write): Pick<Metadata['calls'], 'recordAnswers' | 'pruneCalls'> {
  return {
    recordAnswers: (answers) => write('recordAnswers', answers),
    pruneCalls: async (input) => {
      while (await write('pruneSomeCalls', input));
    },
  };
}

async function expireAllPreviews(
  write: Write,
  input: Parameters<Metadata['lifecycles']['expirePreviews']>[0],
): Promise<void> {
  while (await write('expirePreview', input));
}

/** Drops what is left of repositories that were deleted. */
export async function dropAllDeleted(write: Write): Promise<void> {
  while (await write('dropDeleted', { rowsMax: droppedPerWrite }));
}
