import { resolve } from 'node:path';
import type { Config } from './config.ts';
import type { ConfigProblem } from './config-error.ts';
import { ConfigError, formatKey, formatProblem } from './config-error.ts';
import { crossCheck } from './cross-checks.ts';
import type { Override } from './environment.ts';
import { readEnvironment } from './environment.ts';
import type { FileReader } from './file-reader.ts';
import { UnreadableFile, decodeText, readSmallFile } from './file-reader.ts';
import { resolveSettings } from './resolve.ts';
import { keysAt, settingsSchema } from './schema/schema.ts';
import type { Finding } from './schema/problems.ts';
import { isObject } from '../domain/json.ts';
import { findingsOf } from './schema/problems.ts';
import type { Secrets } from './secrets.ts';
import { readSecrets } from './secrets.ts';
import type { Settings } from './settings.ts';
import type { YamlSource } from './yaml-source.ts';
import { readYaml, yamlBytesMax } from './yaml-source.ts';

export interface LoadOptions {
  /** As the operator wrote it; absent: defaults and environment alone. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What relative paths go from. */
  readonly cwd: string;
  readonly readFile?: FileReader;
}

/** Where a setting's value came from: `default`, `BREAKWATER__DRAIN`, `breakwater.yaml:3`. */
export type SettingSource = string;

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: Settings;
  sourceOf(path: readonly PropertyKey[]): SettingSource;
  /** Absolute; whose change means another configuration: the file, secrets, certificates. */
  readonly files: readonly string[];
}

/** Reads and checks everything, and what `config print` and the watch of the files need besides; throws `ConfigError` with all that is wrong. */
export async function readConfig(options: LoadOptions): Promise<LoadedConfig> {
  const readFile = options.readFile ?? readSmallFile;
  const written = await readWritten(options, readFile);
  const { places, problems } = written;
  if (written.input === undefined) throw new ConfigError(problems);
  const checked = await checkInput(written.input, options, { readFile, places });
  const { settings, config } = checked;
  const found = [
    ...checked.findings.map((finding) => locate(finding, places)).toSorted(byLine),
    ...problems,
    ...checked.secretsProblems,
  ];
  if (settings === undefined || config === undefined || found.length > 0)
    throw new ConfigError(found);
  const main = options.file === undefined ? [] : [resolve(options.cwd, options.file)];
  return {
    config,
    settings,
    sourceOf: (path) => sourceOf(path, places),
    files: [...new Set([...main, ...checked.files])],
  };
}

/** What file and environment say together; no `input` where the file cannot be read as YAML. */
export interface Written {
  readonly input: unknown;
  readonly places: Places;
  /** Of the file as a whole, and of variables. */
  readonly problems: readonly ConfigProblem[];
}

/** Throws `ConfigError` where the file cannot be opened. */
export async function readWritten(options: LoadOptions, readFile: FileReader): Promise<Written> {
  const source = await readSource(options, readFile);
  const { overrides, problems } = readEnvironment(options.env);
  const places: Places = { file: options.file, source, overrides };
  if (source.problems.length > 0)
    return { input: undefined, places, problems: [...source.problems, ...problems] };
  const input = overrides.reduce<unknown>(
    (whole, override) => withValue(whole, override.path, override.value),
    source.value ?? {},
  );
  return { input, places, problems };
}

/** An input as settings and configuration, as far as it goes: with findings about values there is no configuration. */
export interface Checked {
  readonly settings: Settings | undefined;
  readonly config: Config | undefined;
  readonly findings: readonly Finding[];
  readonly secretsProblems: readonly ConfigProblem[];
  /** Absolute; besides the configuration file itself. */
  readonly files: readonly string[];
}

export async function checkInput(
  input: unknown,
  options: LoadOptions,
  { readFile, places }: { readonly readFile: FileReader; readonly places: Places },
): Promise<Checked> {
  const secrets = await secretsOf(input, options, readFile);
  const parsed = settingsSchema.safeParse(input);
  const findings = [
    ...(parsed.success ? [] : findingsOf(parsed.error.issues, input, keysAt)),
    ...crossCheck(input),
  ];
  const secretsProblems = secrets?.problems ?? [];
  const files = secrets?.files ?? [];
  if (!parsed.success || findings.length > 0)
    return { settings: parsed.data, config: undefined, findings, secretsProblems, files };
  const resolved = await resolveSettings(parsed.data, {
    cwd: options.cwd,
    credentials: secrets?.credentials ?? new Map(),
    areAll: secretsProblems.length === 0,
    secretsChangedAt: secrets?.changedAt ?? 0,
    readFile,
    placeOf: (path) => formatProblem(locate({ path, part: 'value', message: '' }, places)),
  });
  return {
    settings: parsed.data,
    config: resolved.findings.length > 0 ? undefined : resolved.config,
    findings: resolved.findings,
    secretsProblems,
    files: [...files, ...resolved.files],
  };
}

/** Where each value of the merged input stands. */
export interface Places {
  readonly file: string | undefined;
  readonly source: YamlSource;
  readonly overrides: readonly Override[];
}

async function readSource(options: LoadOptions, readFile: FileReader): Promise<YamlSource> {
  const { file } = options;
  if (file === undefined) return readYaml('', {});
  try {
    const { bytes } = await readFile(resolve(options.cwd, file), yamlBytesMax);
    return readYaml(decodeText(bytes), { file });
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    throw new ConfigError([{ file, key: '', message: `the file ${error.message}` }]);
  }
}

async function secretsOf(
  input: unknown,
  options: LoadOptions,
  readFile: FileReader,
): Promise<Secrets | undefined> {
  const file = isObject(input) && Object.hasOwn(input, 'secretsFile') ? input['secretsFile'] : '';
  if (typeof file !== 'string' || file === '' || file.includes('\u0000')) return undefined;
  return await readSecrets({ file, path: resolve(options.cwd, file), env: options.env }, readFile);
}

/** A finding with file, line and column, or the variable. */
export function locate(finding: Finding, { file, source, overrides }: Places): ConfigProblem {
  const { path, part, message } = finding;
  const key = formatKey(path);
  const override = overrides.find((candidate) => startsWith(path, candidate.path));
  if (override !== undefined) {
    const position = override.source?.position(path.slice(override.path.length), part);
    return { environment: override.name, key, message, ...position };
  }
  return { ...(file === undefined ? {} : { file }), key, message, ...source.position(path, part) };
}

function sourceOf(
  path: readonly PropertyKey[],
  { file, source, overrides }: Places,
): SettingSource {
  const override = overrides.find((candidate) => startsWith(path, candidate.path));
  const text = override?.source ?? source;
  const inner = override === undefined ? path : path.slice(override.path.length);
  if (override?.source === undefined && override !== undefined) return override.name;
  if (!has(text.value, inner)) return 'default';
  return override?.name ?? `${file}:${source.position(path, 'key')?.line}`;
}

function has(value: unknown, path: readonly PropertyKey[]): boolean {
  let inner = value;
  for (const step of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, step)) return false;
    inner = Reflect.get(inner, step);
  }
  return true;
}

function startsWith(path: readonly PropertyKey[], start: readonly PropertyKey[]): boolean {
  return start.every((step, index) => path[index] === step);
}

/** A copy with one value set; what is no mapping stays, for the schema to refuse. */
function withValue(whole: unknown, [step, ...rest]: readonly string[], value: unknown): unknown {
  if (step === undefined) return value;
  if (whole !== undefined && !isObject(whole)) return whole;
  const inner = whole !== undefined && Object.hasOwn(whole, step) ? whole[step] : undefined;
  return { ...whole, [step]: withValue(rest.length === 0 ? undefined : inner, rest, value) };
}

function byLine(a: ConfigProblem, b: ConfigProblem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
