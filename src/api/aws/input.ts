import { isObject, own } from '../../domain/json.ts';
import type { EncodedBytes } from './long-text.ts';
import { LongText } from './long-text.ts';
import { shapeNamed } from './service-model.ts';
import type { ServiceModel, Shape, ShapeType } from './service-model.ts';

/** What is wrong with an input: one member of it, the first that was found. */
export type InputProblem = {
  /** `tags.1.member.Key`: list elements are counted from 1. Empty: the input as a whole. */
  readonly path: string;
} & (
  | { readonly why: 'missing' }
  | { readonly why: 'type'; readonly expected: ShapeType; readonly found: string }
  | {
      readonly why: 'constraint';
      readonly shape: Shape;
      readonly limit: Limit;
      readonly value: string;
    }
);

export type Limit = 'min' | 'max' | 'pattern' | 'enum';

/** An input does not fit its shape; each protocol has words of its own for it. */
export class InputRefused extends Error {
  override readonly name = 'InputRefused';
  readonly problem: InputProblem;

  constructor(problem: InputProblem) {
    super(`${problem.path}: ${problem.why}`);
    this.problem = problem;
  }
}

const shownCharactersMax = 256;

/**
 * A JSON value as the input of that shape: known members alone, `null` as absent, texts of bytes decoded; long ones are as they are read. Takes time in proportion to the
 * value. Throws `InputRefused`.
 */
export function readInput(model: ServiceModel, shape: string, value: unknown): unknown {
  return new Reader(model).read(shape, value, '');
}

class Reader {
  readonly #model: ServiceModel;

  constructor(model: ServiceModel) {
    this.#model = model;
  }

  read(name: string, value: unknown, path: string): unknown {
    const shape = shapeNamed(this.#model, name);
    switch (shape.type) {
      case 'structure':
        return this.#structure(shape, value, path);
      case 'list':
        return this.#list(shape, value, path);
      case 'map':
        return this.#map(shape, value, path);
      case 'blob':
        return readBytes(shape, value, path);
      case 'string':
        return readText(shape, value, path);
      case 'boolean':
        if (typeof value !== 'boolean') throw wrongType(shape, value, path);
        return value;
      case 'integer':
      case 'long':
      case 'double':
      case 'timestamp':
        return readNumber(shape, value, path);
    }
  }

  #structure(shape: Shape, value: unknown, path: string): unknown {
    if (!isObject(value) || value instanceof LongText) throw wrongType(shape, value, path);
    for (const member of shape.required ?? [])
      if ((own(value, member) ?? undefined) === undefined)
        throw new InputRefused({ why: 'missing', path: below(path, member) });
    const read: Record<string, unknown> = {};
    for (const [member, of] of Object.entries(shape.members ?? {})) {
      const given = own(value, member) ?? undefined;
      if (given !== undefined) read[member] = this.read(of, given, below(path, member));
    }
    return read;
  }

  #list(shape: Shape, value: unknown, path: string): unknown {
    if (!Array.isArray(value)) throw wrongType(shape, value, path);
    requireSize(shape, value.length, path, '[…]');
    const of = shape.of ?? 'string';
    return value.map((each: unknown, index) => this.read(of, each, `${path}.${index + 1}.member`));
  }

  #map(shape: Shape, value: unknown, path: string): unknown {
    if (!isObject(value) || value instanceof LongText) throw wrongType(shape, value, path);
    const entries = Object.entries(value);
    requireSize(shape, entries.length, path, '{…}');
    const read = entries.map(([key, each], index) => [
      this.read(shape.key ?? 'string', key, `${path}.${index + 1}.key`),
      this.read(shape.value ?? 'string', each, `${path}.${index + 1}.value`),
    ]);
    return Object.fromEntries(read as [string, unknown][]);
  }
}

function below(path: string, member: string): string {
  return path === '' ? member : `${path}.${member}`;
}

function readText(shape: Shape, given: unknown, path: string): string {
  const value = given instanceof LongText ? given.text() : given;
  if (typeof value !== 'string') throw wrongType(shape, value, path);
  const broken = (limit: Limit): InputRefused => constraint(shape, limit, path, value);
  if (shape.enum !== undefined && !shape.enum.includes(value)) throw broken('enum');
  if (shape.min !== undefined && value.length < shape.min) throw broken('min');
  // A pattern is never asked about a text beyond its length.
  if (shape.max !== undefined && value.length > shape.max) throw broken('max');
  if (shape.pattern !== undefined && !matches(shape, value)) throw broken('pattern');
  return value;
}

/** Of texts whose shape has a pattern and no length of its own. */
const patternCharactersMax = 4096;

const matchers = new WeakMap<Shape, RegExp>();

function matches(shape: Shape, value: string): boolean {
  let matcher = matchers.get(shape);
  if (matcher === undefined) {
    const pattern = shape.match ?? shape.pattern ?? '';
    matcher = new RegExp(`^(?:${pattern})$`, /\\[pu]\{/.test(pattern) ? 'u' : '');
    matchers.set(shape, matcher);
  }
  return (shape.max !== undefined || value.length <= patternCharactersMax) && matcher.test(value);
}

const base64Form = /^[A-Za-z0-9+/]*={0,2}$/;

function readBytes(shape: Shape, given: unknown, path: string): Uint8Array | EncodedBytes {
  if (given instanceof LongText && given.encoded !== undefined) {
    requireSize(shape, given.encoded.byteLength, path, '…');
    return given.encoded;
  }
  const value = given instanceof LongText ? given.text() : given;
  if (typeof value !== 'string') throw wrongType(shape, value, path);
  if (value.length % 4 !== 0 || !base64Form.test(value)) throw wrongType(shape, value, path);
  const bytes = Buffer.from(value, 'base64');
  requireSize(shape, bytes.length, path, '…');
  return bytes;
}

const integerBits = 2 ** 31;

function readNumber(shape: Shape, value: unknown, path: string): number {
  const { type } = shape;
  const isWhole = type === 'integer' || type === 'long';
  if (typeof value !== 'number' || (isWhole && !Number.isSafeInteger(value)))
    throw wrongType(shape, value, path);
  if (type === 'integer' && (value < -integerBits || value >= integerBits))
    throw wrongType(shape, value, path);
  requireSize(shape, value, path, String(value));
  return value;
}

function requireSize(shape: Shape, size: number, path: string, shown: string): void {
  if (shape.min !== undefined && size < shape.min) throw constraint(shape, 'min', path, shown);
  if (shape.max !== undefined && size > shape.max) throw constraint(shape, 'max', path, shown);
}

function constraint(shape: Shape, limit: Limit, path: string, value: string): InputRefused {
  const shown = shape.secret === true ? '***' : value.slice(0, shownCharactersMax);
  return new InputRefused({ why: 'constraint', path, shape, limit, value: shown });
}

function wrongType({ type }: Shape, value: unknown, path: string): InputRefused {
  return new InputRefused({ why: 'type', path, expected: type, found: kindOf(value) });
}

/** As AWS's parsers name what they found. */
function kindOf(value: unknown): string {
  if (value === null) return 'NULL_VALUE';
  if (Array.isArray(value)) return 'START_ARRAY';
  if (typeof value === 'string' || value instanceof LongText) return 'STRING_VALUE';
  if (typeof value === 'number') return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE';
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
  return 'START_OBJECT';
}
