import { resolve } from 'node:path';
import type { z } from 'zod';
import { isObject } from '../../domain/json.ts';
import { normalizeHost } from '../../domain/names/host-name.ts';
import type { NamingRule } from '../../domain/rules/pull-rule.ts';
import { withCanonicalHead } from '../../domain/rules/rule-set.ts';
import { parseUpstreamUrl } from '../../domain/rules/upstream-url.ts';
import type { ConfigProblem } from '../config-error.ts';
import { ConfigError, formatKey } from '../config-error.ts';
import { samePrefixes } from '../cross-checks.ts';
import type { FileReader } from '../file-reader.ts';
import { UnreadableFile, decodeText, readSmallFile } from '../file-reader.ts';
import type { Finding } from '../schema/problems.ts';
import { findingsOf } from '../schema/problems.ts';
import { keysUnder } from '../schema/schema.ts';
import type { YamlSource } from '../yaml-source.ts';
import { readYaml, yamlBytesMax } from '../yaml-source.ts';
import type { WrittenRule } from './mapping-schema.ts';
import { mappingSchema, pullThroughSchema } from './mapping-schema.ts';

/** What becomes of a cluster's images, as a file says it. */
export interface MappingFile {
  /** What images are to begin with; absent: the file does not say. */
  readonly registryHost: string | undefined;
  /** In the order that counts; absent: the built-in ones. */
  readonly rules: readonly NamingRule[] | undefined;
  /** Where what is generated holds: in those included, or all where none is, without those excluded. */
  readonly namespaces: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  /** Hosts whose place `registryHost` takes, with the same paths. */
  readonly replaces: readonly string[];
  /** The host that a former webhook wrote: images that begin with it are to be taken over where `registryHost` is another. */
  readonly formerHost: string | undefined;
}

export interface MappingFileOptions {
  /** As it was written. */
  readonly file: string;
  /** What relative paths go from. */
  readonly cwd: string;
  readonly readFile?: FileReader;
}

/** The key of the ConfigMap of ecr-pull-through. */
const registriesKey = 'registries.yaml';

/**
 * Reads a mapping file, or what the webhook ecr-pull-through is configured with, bare or in its ConfigMap. Throws `ConfigError` with all that is
 * wrong.
 */
export async function readMappingFile(options: MappingFileOptions): Promise<MappingFile> {
  const { file } = options;
  const text = await readText(options);
  const source = readYaml(text, { file });
  if (source.problems.length > 0) throw new ConfigError(source.problems);
  const inner = configMapText(source, file);
  if (inner !== undefined) return readPullThrough(inner, innerPlace(source, file));
  if (isPullThrough(source.value)) return readPullThrough(text, { file });
  const input = source.value ?? {};
  const parsed = mappingSchema.safeParse(input);
  const rules = isObject(input) && Array.isArray(input['rules']) ? input['rules'] : [];
  const findings = [...issuesOf(parsed, input, mappingSchema), ...samePrefixes(rules)];
  if (!parsed.success || findings.length > 0)
    throw new ConfigError(findings.map((finding) => placed(finding, source, { file })));
  return {
    registryHost: parsed.data.registryHost,
    rules: parsed.data.rules?.map(namingRule),
    namespaces: parsed.data.namespaces,
    replaces: parsed.data.replaces,
    formerHost: undefined,
  };
}

async function readText({
  file,
  cwd,
  readFile = readSmallFile,
}: MappingFileOptions): Promise<string> {
  try {
    const { bytes } = await readFile(resolve(cwd, file), yamlBytesMax);
    return decodeText(bytes);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    throw new ConfigError([{ file, key: '', message: `the file ${error.message}` }]);
  }
}

function namingRule(rule: WrittenRule): NamingRule {
  const url = parseUpstreamUrl(rule.upstream);
  if ('problem' in url) throw new Error(url.problem);
  return {
    prefix: withCanonicalHead(rule.prefix),
    origin: 'file',
    urls: [url],
    upstreamHost: normalizeHost(url.host),
    upstreamPrefix: rule.upstreamPrefix,
    credential: rule.private ? 'some' : undefined,
  };
}

function isPullThrough(value: unknown): boolean {
  return isObject(value) && ('awsAccountId' in value || 'awsRegion' in value);
}

/** The text that a ConfigMap of ecr-pull-through holds; `undefined` where the file is no ConfigMap. */
function configMapText(source: YamlSource, file: string): string | undefined {
  const { value } = source;
  if (!isObject(value) || value['kind'] !== 'ConfigMap') return undefined;
  const data = isObject(value['data']) ? value['data'] : {};
  const text = data[registriesKey];
  if (typeof text === 'string') return text;
  const message = `missing ${registriesKey}; write it, or give a mapping file with registryHost and rules`;
  throw new ConfigError([{ file, key: 'data', message, ...source.position(['data'], 'key') }]);
}

/** Where a text stands that is a value itself. */
function innerPlace(source: YamlSource, file: string): Place {
  const at = source.position(['data', registriesKey], 'value');
  return at === undefined ? { file } : { file, line: at.line };
}

/** A file, and the line of it behind which a text begins. */
interface Place {
  readonly file: string;
  readonly line?: number;
}

function readPullThrough(text: string, place: Place): MappingFile {
  // Accounts may begin with a zero, which a number loses.
  const source = readYaml(text, { file: place.file }, 'failsafe');
  if (source.problems.length > 0)
    throw new ConfigError(source.problems.map((problem) => shifted(problem, place)));
  const parsed = pullThroughSchema.safeParse(source.value);
  const findings = issuesOf(parsed, source.value, pullThroughSchema);
  if (!parsed.success || findings.length > 0)
    throw new ConfigError(findings.map((finding) => placed(finding, source, place)));
  const { awsAccountId, awsRegion, registries } = parsed.data;
  const host = `${awsAccountId}.dkr.ecr.${awsRegion}.amazonaws.com`;
  return {
    registryHost: host,
    rules: [...new Set(registries)].map(pulledThrough),
    namespaces: { include: [], exclude: [] },
    replaces: [],
    formerHost: host,
  };
}

/** The prefix of a rule of ECR's is what the webhook puts there: the image's own beginning. */
function pulledThrough(registry: string): NamingRule {
  const [host = '', ...path] = registry.replace(/\/$/, '').split('/');
  return namingRule({
    prefix: [host.toLowerCase(), ...path].join('/'),
    upstream: host,
    upstreamPrefix: path.join('/'),
    private: false,
  });
}

function issuesOf(
  parsed: z.ZodSafeParseResult<unknown>,
  input: unknown,
  schema: z.core.$ZodType,
): readonly Finding[] {
  return parsed.success
    ? []
    : findingsOf(parsed.error.issues, input, (path) => keysUnder(schema, path));
}

function placed({ path, part, message }: Finding, source: YamlSource, place: Place): ConfigProblem {
  const { file } = place;
  return shifted({ file, key: formatKey(path), message, ...source.position(path, part) }, place);
}

/** Columns of a text inside of another one are told by its own lines. */
function shifted(problem: ConfigProblem, { line: behind }: Place): ConfigProblem {
  if (behind === undefined) return problem;
  const { column: _, line = 0, ...rest } = problem;
  return { ...rest, line: behind + line };
}
