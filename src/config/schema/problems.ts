import type { z } from 'zod';
import { formatKey } from '../config-error.ts';
import { nearest } from '../../domain/nearest.ts';

/** A problem whose place is still a path. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  /** Which of the two a reader must look at. */
  readonly part: 'key' | 'value';
  readonly message: string;
}

/** What a schema found wrong with a value, in sentences; at most one for each place. */
export function findingsOf(
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
  keysAt: (path: readonly PropertyKey[]) => readonly string[],
): Finding[] {
  const findings = new Map<string, Finding>();
  for (const issue of issues) {
    const found =
      issue.code === 'unrecognized_keys' ? unknownKeys(issue, keysAt) : [wrongValue(issue, input)];
    for (const finding of found) {
      const place = formatKey(finding.path);
      if (!findings.has(place)) findings.set(place, finding);
    }
  }
  return [...findings.values()];
}

function unknownKeys(
  issue: z.core.$ZodIssueUnrecognizedKeys,
  keysAt: (path: readonly PropertyKey[]) => readonly string[],
): Finding[] {
  const known = keysAt(issue.path);
  return issue.keys.map((key) => {
    const path = [...issue.path, shorten(key)];
    if (key === '<<')
      return { path, part: 'key', message: 'merge keys are not read; write its keys out' };
    const home = homeOf(key, issue.path, keysAt);
    const near = home === undefined ? nearest(key, known) : undefined;
    const hint =
      home !== undefined
        ? `it belongs below ${home}: indent it more than that`
        : near === undefined
          ? `the keys here are ${known.join(', ')}`
          : `did you mean ${near}?`;
    return { path, part: 'key', message: `unknown key; ${hint}` };
  });
}

/** The key beside it below which an unknown one would be right, as where its indentation is missing. */
function homeOf(
  key: string,
  path: readonly PropertyKey[],
  keysAt: (path: readonly PropertyKey[]) => readonly string[],
): string | undefined {
  return keysAt(path).find((other) =>
    [...keysAt([...path, other]), ...keysAt([...path, other, 0])].includes(key),
  );
}

/** What YAML 1.1 took for true and false. */
const flagWords: Readonly<Record<string, boolean>> = {
  yes: true,
  y: true,
  on: true,
  no: false,
  n: false,
  off: false,
};

function flagHint(value: unknown, message: string): string {
  const flag = typeof value === 'string' ? flagWords[value.toLowerCase()] : undefined;
  return flag === undefined || !/\btrue\b/.test(message)
    ? ''
    : ` (to YAML 1.2 that is a text: write ${flag})`;
}

function wrongValue(issue: z.core.$ZodIssue, input: unknown): Finding {
  const { path, message } = issue;
  const value = path.reduce<unknown>((inner, step) => field(inner, step), input);
  const fix = message.slice(message.indexOf('; ') + 2);
  if (value === undefined) return { path, part: 'value', message: `missing; ${fix}` };
  if (value === null)
    return { path, part: 'key', message: `without a value; remove the key, or ${fix}` };
  const options = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const near = typeof value === 'string' ? nearest(value, options) : undefined;
  const hint = near === undefined ? flagHint(value, message) : ` (did you mean ${near}?)`;
  return { path, part: 'value', message: `${showValue(value)} is ${message}${hint}` };
}

function field(value: unknown, step: PropertyKey): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
  return Reflect.get(value, step);
}

/** A value in a message: short, and without what may be a password in a URL. */
export function showValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(shorten(value.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@')));
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
