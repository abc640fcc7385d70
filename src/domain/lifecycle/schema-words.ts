import { nearest } from '../nearest.ts';
import { isObject, own } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { shortened } from '../policy/problem.ts';
import type { LifecycleProblem } from './policy.ts';

/** Collects problems; after twenty it has heard enough. */
export type Report = (field: string, what: string, fix: string) => void;

const problemsMax = 20;

export function reportTo(list: LifecycleProblem[]): Report {
  return (field, what, fix) => {
    if (list.length < problemsMax) list.push({ field, what, fix });
  };
}

/** What ECR says of a part that fits none of the forms it may take. */
export const noForm = 'instance failed to match exactly one schema (matched 0 out of 2)';

type JsonType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null';

function reportType(field: string, value: unknown, allowed: JsonType, report: Report): undefined {
  const what = `instance type (${typeOf(value)}) does not match any allowed primitive type (allowed: ["${allowed}"])`;
  const article = /^[aio]/.test(allowed) ? 'an' : 'a';
  report(field, what, `write ${article} ${allowed}`);
  return undefined;
}

function typeOf(value: unknown): JsonType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value as 'object' | 'string' | 'boolean';
}

/** An object with these keys and no others; `undefined` where it is no object or lacks a required key. */
export function readObject(
  value: unknown,
  field: string,
  keys: { readonly required: readonly string[]; readonly optional: readonly string[] },
  report: Report,
): JsonObject | undefined {
  if (!isObject(value)) return reportType(field, value, 'object', report);
  const known = [...keys.required, ...keys.optional];
  const unknown = Object.keys(value).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    const what = `object instance has properties which are not allowed by the schema: (${list(unknown)})`;
    const near = nearest(unknown[0] ?? '', known);
    const fix = near === undefined ? `the keys here are ${known.join(', ')}` : `write ${near}`;
    report(field, what, fix);
  }
  const missing = keys.required.filter((key) => own(value, key) === undefined);
  if (missing.length === 0) return value;
  const what = `object has missing required properties (${list(missing)})`;
  report(field, what, `add ${missing.join(' and ')}`);
  return undefined;
}

export function readEnum<Value extends string>(
  value: unknown,
  field: string,
  values: readonly Value[],
  report: Report,
): Value | undefined {
  const found = values.find((each) => each === value);
  if (found !== undefined) return found;
  const possible = `[${values.map((each) => `"${each}"`).join(', ')}]`;
  const what = `instance value (${shortened(value, 40)}) not found in enum :(possible values: ${possible})`;
  report(field, what, `write ${values.join(' or ')}`);
  return undefined;
}

/** A whole number of at least `minimum`. */
export function readInteger(
  value: unknown,
  field: string,
  minimum: number,
  report: Report,
): number | undefined {
  if (!Number.isInteger(value)) return reportType(field, value, 'integer', report);
  const found = Number(value);
  if (found >= minimum && Number.isSafeInteger(found)) return found;
  const what =
    found < minimum
      ? `numeric instance is lower than the required minimum (minimum: ${minimum}, found: ${found})`
      : `numeric instance is greater than the required maximum (maximum: ${Number.MAX_SAFE_INTEGER}, found: ${found})`;
  report(field, what, `write ${found < minimum ? `${minimum} or more` : 'a smaller number'}`);
  return undefined;
}

export function readString(value: unknown, field: string, report: Report): string | undefined {
  return typeof value === 'string' ? value : reportType(field, value, 'string', report);
}

/** Between `least` and `most` entries. */
export function readArray(
  value: unknown,
  field: string,
  { least, most }: { readonly least: number; readonly most: number },
  report: Report,
): readonly unknown[] | undefined {
  if (!Array.isArray(value)) return reportType(field, value, 'array', report);
  const { length } = value;
  if (length >= least && length <= most) return value;
  const what =
    length < least
      ? `array is too short: must have at least ${least} elements but instance has ${length} elements`
      : `array is too long: must have at most ${most} elements but instance has ${length} elements`;
  report(field, what, length < least ? `add one` : `${most} at most`);
  return undefined;
}

function list(keys: readonly string[]): string {
  const names = keys.toSorted().map((key) => `"${shortened(key, 40)}"`);
  return `[${names.slice(0, 5).join(', ')}]`;
}
