import type { ByteSpan } from '../../domain/byte-source.ts';
import { parseJsonObject } from '../../domain/json.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { parseDigest } from '../../domain/names/digest.ts';
import type { Events } from '../../ports/events.ts';
import type { FileSystem } from '../disk/file-system.ts';
import { readSmallFile, writeSmallFile } from '../disk/small-file.ts';

/** What a partial's journal proves: these bytes were synced before it was written. */
export interface Journal {
  readonly digest: Digest;
  readonly owner: string;
  readonly size: number | undefined;
  /** Sorted, disjoint, never touching. */
  readonly spans: readonly ByteSpan[];
  /** Wall time in ms. */
  readonly updatedAt: number;
}

const version = 1;
const maxJournalBytes = 1024 * 1024;

export function formatJournal(journal: Journal): string {
  const { digest, owner, size, spans, updatedAt } = journal;
  const pairs = spans.map((span) => [span.start, span.end]);
  return JSON.stringify({ version, digest, owner, size: size ?? null, spans: pairs, updatedAt });
}

/** `undefined` for anything but a journal that this version wrote. */
export function parseJournal(text: string): Journal | undefined {
  const fields = parseJsonObject(text);
  if (fields === undefined) return undefined;
  const digest = typeof fields['digest'] === 'string' ? parseDigest(fields['digest']) : undefined;
  const { owner, updatedAt } = fields;
  if (fields['version'] !== version || digest === undefined) return undefined;
  if (typeof owner !== 'string' || !isCount(updatedAt)) return undefined;
  const size = fields['size'] ?? undefined;
  if (size !== undefined && !isCount(size)) return undefined;
  const spans = parseSpans(fields['spans'], size ?? Number.MAX_SAFE_INTEGER);
  return spans && { digest, owner, size, spans, updatedAt };
}

function parseSpans(value: unknown, size: number): ByteSpan[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const spans: ByteSpan[] = [];
  let free = 0;
  for (const pair of value as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) return undefined;
    const [start, end] = pair as [unknown, unknown];
    if (!isCount(start) || !isCount(end) || start < free || end < start || end >= size) {
      return undefined;
    }
    spans.push({ start, end });
    free = end + 2;
  }
  return spans;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** `undefined` when there is none, or none that can be believed. */
export async function readJournal(
  files: FileSystem,
  events: Events,
  path: string,
): Promise<Journal | undefined> {
  const text = await readSmallFile(files, events, path, maxJournalBytes);
  return text === undefined ? undefined : parseJournal(text);
}

/** The journal is the old or the new one at any time. Syncing the folder is the caller's. */
export function writeJournal(
  files: FileSystem,
  events: Events,
  path: string,
  journal: Journal,
): Promise<void> {
  return writeSmallFile(files, events, path, formatJournal(journal));
}
