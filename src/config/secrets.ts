import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { Credential } from '../domain/rules/pull-rule.ts';
import { accountInSecret } from './account-in-secret.ts';
import type { ConfigProblem } from './config-error.ts';
import { formatKey } from './config-error.ts';
import type { FileReader } from './file-reader.ts';
import { UnreadableFile, decodeText } from './file-reader.ts';
import { loginFieldProblem } from '../domain/rules/upstream-secret.ts';
import { nearest } from '../domain/nearest.ts';
import { secretName } from './schema/values.ts';
import type { YamlSource } from './yaml-source.ts';
import { readYaml, yamlBytesMax } from './yaml-source.ts';

const secretsMax = 10_000;
const secretCharactersMax = 65_536;
const othersBits = 0o007;

export interface Secrets {
  /** Those without a problem. */
  readonly credentials: ReadonlyMap<string, Credential>;
  readonly problems: readonly ConfigProblem[];
  /** Absolute; what the secrets were read from. */
  readonly files: readonly string[];
  /** When `secretsFile` was written last, wall ms. */
  readonly changedAt: number;
}

export interface SecretsPlace {
  /** As the operator wrote it. */
  readonly file: string;
  readonly path: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const schema = z.record(
  z.string(),
  z.strictObject(
    {
      username: z.string({ error: "not a text; write the user's name" }),
      accessToken: z.string({
        error: 'not a text; write the token, "${env:NAME}" or "${file:/path}"',
      }),
    },
    { error: 'not a secret; write username and accessToken below the name' },
  ),
  { error: 'not a mapping; write name: {username: …, accessToken: …}' },
);

/** Reads `secretsFile`. No message holds a value of it. */
export async function readSecrets(place: SecretsPlace, readFile: FileReader): Promise<Secrets> {
  const files = [place.path];
  const at = { file: place.file };
  let changedAt = 0;
  let text: string;
  try {
    const { bytes, mode, ...read } = await readFile(place.path, yamlBytesMax);
    ({ changedAt } = read);
    if ((mode & othersBits) !== 0) {
      const octal = mode.toString(8).padStart(3, '0');
      const message = `mode ${octal} lets others at the secrets; run chmod o-rwx on it (in Kubernetes: defaultMode 0440)`;
      return { credentials: new Map(), problems: [{ ...at, key: '', message }], files, changedAt };
    }
    text = decodeText(bytes);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return {
      credentials: new Map(),
      problems: [{ ...at, key: '', message: `the file ${error.message}` }],
      files,
      changedAt,
    };
  }
  const source = readYaml(text, at);
  if (source.problems.length > 0) {
    return { credentials: new Map(), problems: source.problems, files, changedAt };
  }
  return { ...(await parseSecrets(source, place, readFile)), changedAt };
}

async function parseSecrets(
  source: YamlSource,
  place: SecretsPlace,
  readFile: FileReader,
): Promise<Omit<Secrets, 'changedAt'>> {
  const problems: ConfigProblem[] = [];
  const files = [place.path];
  const fault = (path: readonly PropertyKey[], part: 'key' | 'value', message: string): void => {
    problems.push({
      file: place.file,
      key: formatKey(path),
      message,
      ...source.position(path, part),
    });
  };
  const checked = schema.safeParse(source.value ?? {});
  if (!checked.success) {
    for (const issue of checked.error.issues) {
      if (issue.code !== 'unrecognized_keys') fault(issue.path, 'value', issue.message);
      else for (const key of issue.keys) fault([...issue.path, key], 'key', unknownKey(key));
    }
    return { credentials: new Map(), problems, files };
  }
  const credentials = new Map<string, Credential>();
  const entries = Object.entries(checked.data);
  if (entries.length > secretsMax) fault([], 'value', `more than ${secretsMax} secrets`);
  for (const [name, secret] of entries.slice(0, secretsMax)) {
    if (!secretName.test(name)) {
      fault([name], 'key', 'not a name of a secret; write letters, digits and /_+=.@-');
      continue;
    }
    const fields: Record<'username' | 'accessToken', string> = { username: '', accessToken: '' };
    for (const field of ['username', 'accessToken'] as const) {
      const expanded = await expand(secret[field], place, readFile, files);
      const message =
        'problem' in expanded ? expanded.problem : loginFieldProblem(field, expanded.text);
      if (message !== undefined) fault([name, field], 'value', message);
      else if ('text' in expanded) fields[field] = expanded.text;
    }
    if (fields.username !== '' && fields.accessToken !== '') {
      const account = accountInSecret(fields.username, fields.accessToken);
      credentials.set(name, { name, ...fields, ...(account === undefined ? {} : { account }) });
    }
  }
  return { credentials, problems, files };
}

function unknownKey(key: string): string {
  const near = nearest(key, ['username', 'accessToken']);
  return `unknown key; ${near === undefined ? 'the keys here are username, accessToken' : `did you mean ${near}?`}`;
}

/** Puts the values in place of `${env:NAME}` and `${file:/path}`; paths go from the secrets file's folder. */
async function expand(
  text: string,
  place: SecretsPlace,
  readFile: FileReader,
  files: string[],
): Promise<{ readonly text: string } | { readonly problem: string }> {
  let expanded = '';
  let position = 0;
  for (const match of text.matchAll(/\$\{([a-z]+):([^}]*)\}/g)) {
    const [whole, kind, argument = ''] = match;
    expanded += text.slice(position, match.index);
    position = match.index + whole.length;
    if (kind === 'env') {
      const value = place.env[argument];
      if (value === undefined)
        return { problem: `the environment variable ${argument} is not set` };
      expanded += value;
    } else if (kind === 'file') {
      const path = resolve(dirname(place.path), argument);
      files.push(path);
      try {
        const { bytes } = await readFile(path, secretCharactersMax);
        expanded += decodeText(bytes).replace(/\r?\n$/, '');
      } catch (error) {
        if (!(error instanceof UnreadableFile)) throw error;
        return { problem: `the file ${argument} ${error.message}` };
      }
    } else {
      return { problem: `\${${kind}:…} is unknown; write \${env:NAME} or \${file:/path}` };
    }
  }
  return { text: expanded + text.slice(position) };
}
