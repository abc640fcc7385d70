import type { Config } from './config.ts';
import { ConfigError, formatKey } from './config-error.ts';
import { readSmallFile } from './file-reader.ts';
import type { LoadOptions } from './load.ts';
import { checkInput, locate, readConfig, readWritten } from './load.ts';
import { keysAt, settingsSchema } from './schema/schema.ts';
import type { Finding } from './schema/problems.ts';
import { findingsOf } from './schema/problems.ts';
import type { Settings } from './settings.ts';

/**
 * The settings of these keys, whatever else is written: rules are not looked at, and secrets not read. Throws `ConfigError` where
 * the file cannot be read, or one of these is wrong.
 */
export async function readSettings<Key extends keyof Settings>(
  keys: readonly Key[],
  options: LoadOptions,
): Promise<Pick<Settings, Key>> {
  const { input, places, problems } = await readWritten(options, options.readFile ?? readSmallFile);
  if (input === undefined) throw new ConfigError(problems);
  const asked = Object.fromEntries(
    keys.filter((key) => has(input, key)).map((key) => [key, Reflect.get(Object(input), key)]),
  );
  const parsed = settingsSchema.safeParse(asked);
  if (parsed.success) return parsed.data;
  const findings = findingsOf(parsed.error.issues, asked, keysAt);
  throw new ConfigError(findings.map((finding) => locate(finding, places)));
}

export interface WhatHolds {
  /** Without what is wrong; `undefined` where the file cannot be read at all. */
  readonly config: Config | undefined;
  /** Why it could not be used whole. */
  readonly error: ConfigError | undefined;
}

/**
 * The configuration as far as it can be used: a value with a problem is left out, with what it stands in where it is needed there. A
 * rule whose secret is missing stays, without it. For looking at, never to serve by.
 */
export async function readWhatHolds(options: LoadOptions): Promise<WhatHolds> {
  try {
    return { config: (await readConfig(options)).config, error: undefined };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: await readRemainder(options), error };
  }
}

async function readRemainder(options: LoadOptions): Promise<Config | undefined> {
  const readFile = options.readFile ?? readSmallFile;
  const written = await readWritten(options, readFile).catch((error: unknown) => {
    if (error instanceof ConfigError) return undefined;
    throw error;
  });
  if (written === undefined) return undefined;
  const { places } = written;
  let rest = written.input;
  while (rest !== undefined) {
    const { config, findings } = await checkInput(rest, options, { readFile, places });
    if (config !== undefined || findings.length === 0) return config;
    rest = withoutAll(rest, findings);
  }
  return undefined;
}

/** The last of a list goes first, so that the places of the others stay true; what is in something before that. */
function withoutAll(whole: unknown, findings: readonly Finding[]): unknown {
  const paths = new Map<string, readonly PropertyKey[]>();
  for (const finding of findings) {
    const path = therePart(whole, finding.path);
    paths.set(formatKey(path), path);
  }
  return [...paths.keys()]
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .reduce((rest, key) => without(rest, paths.get(key) ?? []), whole);
}

/** The path, or what it would stand in where nothing does. */
function therePart(whole: unknown, path: readonly PropertyKey[]): readonly PropertyKey[] {
  let inner = whole;
  for (const [index, step] of path.entries()) {
    if (!has(inner, step)) return path.slice(0, index);
    inner = Reflect.get(Object(inner), step);
  }
  return path;
}

/** A copy without the value at a path that is there. */
function without(whole: unknown, [step, ...rest]: readonly PropertyKey[]): unknown {
  if (step === undefined) return undefined;
  const inner = without(Reflect.get(Object(whole), step), rest);
  if (Array.isArray(whole))
    return inner === undefined ? whole.toSpliced(Number(step), 1) : whole.with(Number(step), inner);
  const others = Object.entries(Object(whole)).filter(([key]) => key !== step);
  return Object.fromEntries(inner === undefined ? others : [...others, [step, inner]]);
}

function has(value: unknown, step: PropertyKey): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step);
}
