import { isInBlock, parseIpAddress, parseIpBlock } from '../names/ip-address.ts';
import { parseMoment } from './moment.ts';
import { parsePattern, resolvePattern, splitAtColons, textOf } from './pattern.ts';
import type { KeyValues } from './pattern.ts';
import { matchesPattern } from '../wildcard.ts';

/** Whether one value of a question's key stands in the relation to one of the policy's values. */
export type Relation = (actual: string, values: KeyValues) => boolean;

/** A family of operators: how its values must look, and how they compare. */
export interface Comparison {
  /** Whether `${…}` has a meaning in its values. */
  readonly variables: boolean;
  readonly wildcards: boolean;
  /** How a value is written, where this one is not written so. */
  readonly expects: (value: string) => string | undefined;
  /** Prepares one value of a policy; `variables` says whether the policy's version has them. */
  readonly relation: (value: string, variables: boolean) => Relation;
}

/** An operator without prefix and suffix. `negated`: true where no value stands in the relation, and where the key is missing. */
export interface Operator {
  readonly comparison: Comparison;
  readonly negated: boolean;
}

/** `Null` is none of these: it asks for the key itself. */
export const operators: ReadonlyMap<string, Operator> = new Map([
  ...pair('StringEquals', 'StringNotEquals', literal(false)),
  ...pair('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', literal(true)),
  ...pair('StringLike', 'StringNotLike', like()),
  ...pair(
    'NumericEquals',
    'NumericNotEquals',
    numeric((actual, value) => actual === value),
  ),
  one(
    'NumericLessThan',
    numeric((actual, value) => actual < value),
  ),
  one(
    'NumericLessThanEquals',
    numeric((actual, value) => actual <= value),
  ),
  one(
    'NumericGreaterThan',
    numeric((actual, value) => actual > value),
  ),
  one(
    'NumericGreaterThanEquals',
    numeric((actual, value) => actual >= value),
  ),
  ...pair(
    'DateEquals',
    'DateNotEquals',
    date((actual, value) => actual === value),
  ),
  one(
    'DateLessThan',
    date((actual, value) => actual < value),
  ),
  one(
    'DateLessThanEquals',
    date((actual, value) => actual <= value),
  ),
  one(
    'DateGreaterThan',
    date((actual, value) => actual > value),
  ),
  one(
    'DateGreaterThanEquals',
    date((actual, value) => actual >= value),
  ),
  one('Bool', bool()),
  one('BinaryEquals', binary()),
  ...pair('IpAddress', 'NotIpAddress', ip()),
  ...pair('ArnEquals', 'ArnNotEquals', arn()),
  ...pair('ArnLike', 'ArnNotLike', arn()),
]);

type Row = readonly [name: string, operator: Operator];

function one(name: string, comparison: Comparison): Row {
  return [name, { comparison, negated: false }];
}

function pair(name: string, negation: string, comparison: Comparison): readonly Row[] {
  return [one(name, comparison), [negation, { comparison, negated: true }]];
}

function literal(ignoreCase: boolean): Comparison {
  const fold = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  return {
    variables: true,
    wildcards: false,
    expects: () => undefined,
    relation(value, variables) {
      const pattern = parsePattern(value, { wildcards: false, variables });
      const constant = pattern.constant && fold(textOf(pattern.constant));
      return (actual, values) => {
        if (constant !== undefined) return fold(actual) === constant;
        const codes = resolvePattern(pattern, values);
        return codes !== undefined && fold(actual) === fold(textOf(codes));
      };
    },
  };
}

function like(): Comparison {
  return {
    variables: true,
    wildcards: true,
    expects: () => undefined,
    relation(value, variables) {
      const pattern = parsePattern(value, { wildcards: true, variables });
      return (actual, values) => {
        const codes = resolvePattern(pattern, values);
        return codes !== undefined && matchesPattern(codes, actual);
      };
    },
  };
}

/** Values that are read once and compared as what they are; a question's value that can't be read is in no relation. */
function typed<T>(
  parse: (text: string) => T | undefined,
  form: string,
  compare: (actual: T, value: T) => boolean,
): Comparison {
  return read(parse, parse, form, compare);
}

/** The same where the question's values are written otherwise than the policy's. */
function read<A, V>(
  parseActual: (text: string) => A | undefined,
  parseValue: (text: string) => V | undefined,
  form: string,
  compare: (actual: A, value: V) => boolean,
): Comparison {
  return {
    variables: false,
    wildcards: false,
    expects: (value) => (parseValue(value) === undefined ? form : undefined),
    relation(value) {
      const known = parseValue(value);
      return (text) => {
        const actual = parseActual(text);
        return actual !== undefined && known !== undefined && compare(actual, known);
      };
    },
  };
}

function numeric(compare: (actual: number, value: number) => boolean): Comparison {
  return typed(parseNumber, 'a number such as 10 or 0.5', compare);
}

function date(compare: (actual: number, value: number) => boolean): Comparison {
  return typed(parseMoment, 'a date such as 2026-01-31T12:00:00Z, or seconds since 1970', compare);
}

function bool(): Comparison {
  return typed(parseBool, 'true or false', (actual, value) => actual === value);
}

function binary(): Comparison {
  return typed(parseBinary, 'base64', (actual, value) => actual === value);
}

function ip(): Comparison {
  const form = 'an address or a block such as 203.0.113.0/24 or 2001:db8::/32';
  return read(parseIpAddress, parseIpBlock, form, isInBlock);
}

/** Equals and Like are the same: each of the six parts is compared for itself, with wildcards. `*` alone is every ARN. */
function arn(): Comparison {
  return {
    variables: true,
    wildcards: true,
    expects: (value) =>
      value === '*' || value.includes('${') || arnParts(value) !== undefined
        ? undefined
        : 'an ARN such as arn:aws:iam::111122223333:user/*',
    relation(value, variables) {
      const pattern = parsePattern(value, { wildcards: true, variables });
      const constant = pattern.constant && splitAtColons(pattern.constant, 6);
      return (actual, values) => {
        const parts = arnParts(actual);
        if (parts === undefined) return false;
        const codes = constant === undefined ? resolvePattern(pattern, values) : undefined;
        const patterns = constant ?? (codes && splitAtColons(codes, 6));
        if (patterns === undefined) return false;
        if (patterns.length === 1) return matchesPattern(patterns[0] ?? [], actual);
        return (
          patterns.length === 6 &&
          patterns.every((each, index) => matchesPattern(each, parts[index] ?? ''))
        );
      };
    },
  };
}

/** The five parts before the resource, and the resource with its colons. */
function arnParts(text: string): readonly string[] | undefined {
  const words = text.split(':');
  if (words.length < 6 || words[0] !== 'arn') return undefined;
  return [...words.slice(0, 5), words.slice(5).join(':')];
}

function parseNumber(text: string): number | undefined {
  if (text.length > 64 || !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?$/i.test(text))
    return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

export function parseBool(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : undefined;
}

/** Base64 without its padding. */
function parseBinary(text: string): string | undefined {
  const bare = text.replace(/={1,2}$/, '');
  const padded = bare.length !== text.length;
  if (!/^[A-Za-z\d+/]*$/.test(bare) || bare.length % 4 === 1) return undefined;
  return padded && text.length % 4 !== 0 ? undefined : bare;
}
