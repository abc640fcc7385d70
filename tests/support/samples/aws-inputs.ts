import { shapeNamed } from '../../../src/api/aws/service-model.ts';
import type { ServiceModel, Shape } from '../../../src/api/aws/service-model.ts';

/** An input with one member at or beyond a limit of its shape. */
export interface EdgeInput {
  /** `tags.1.member.Key: longer than max`. */
  readonly name: string;
  readonly input: unknown;
  /** What has to be said of it; absent: it is taken. */
  readonly refused?: {
    readonly why: 'missing' | 'type' | 'constraint';
    readonly path: string;
    readonly limit?: string;
  };
}

const textBytesMax = 70_000;

/** A text that the shape takes, of so many characters where the pattern allows it. */
export type TextOf = (shape: Shape, name: string, length: number) => string;

/** The smallest input of an operation that is taken, and every input with one member on an edge of its limits, or beyond it. */
export function edgeInputs(model: ServiceModel, shape: string, textOf: TextOf): EdgeInput[] {
  const edges = new Edges(model, textOf);
  return [
    { name: 'the least', input: edges.least(shape) },
    { name: 'everything', input: edges.whole(shape) },
    ...edges.of(shape, ''),
  ];
}

class Edges {
  readonly #model: ServiceModel;
  readonly #textOf: TextOf;

  constructor(model: ServiceModel, textOf: TextOf) {
    this.#model = model;
    this.#textOf = textOf;
  }

  /** With required members alone. */
  least(name: string): unknown {
    const shape = shapeNamed(this.#model, name);
    switch (shape.type) {
      case 'structure':
        return this.#with(shape, shape.required ?? []);
      case 'list':
        return Array.from({ length: Math.max(1, shape.min ?? 0) }, () =>
          this.least(shape.of ?? 'string'),
        );
      case 'map':
        return { [String(this.least(shape.key ?? 'string'))]: this.least(shape.value ?? 'string') };
      case 'string':
        return this.#textOf(shape, name, Math.max(1, shape.min ?? 1));
      case 'blob':
        return Buffer.alloc(Math.max(1, shape.min ?? 0)).toString('base64');
      case 'boolean':
        return false;
      case 'integer':
      case 'long':
      case 'double':
      case 'timestamp':
        return shape.min ?? 1;
    }
  }

  whole(name: string): unknown {
    const shape = shapeNamed(this.#model, name);
    return shape.type === 'structure' ? this.#with(shape, Object.keys(shape.members ?? {})) : null;
  }

  #with(shape: Shape, members: readonly string[]): Record<string, unknown> {
    return Object.fromEntries(
      members.map((member) => [member, this.least(shape.members?.[member] ?? 'string')]),
    );
  }

  /** Values of a shape, each with what is said of it at that path. */
  of(name: string, path: string): EdgeInput[] {
    const shape = shapeNamed(this.#model, name);
    const at = (what: string, input: unknown, refused?: EdgeInput['refused']): EdgeInput => ({
      name: `${path}: ${what}`,
      input,
      ...(refused === undefined ? {} : { refused }),
    });
    const wrong = at('of another type', shape.type === 'string' ? 7 : 'x', { why: 'type', path });
    switch (shape.type) {
      case 'structure':
        return [...(path === '' ? [] : [wrong]), ...this.#ofStructure(shape, path)];
      case 'list':
        return [wrong, ...this.#ofList(shape, path)];
      case 'string':
        return [wrong, ...this.#ofText(shape, name, path)];
      case 'blob':
        return [wrong, at('no base64', 'a', { why: 'type', path })];
      case 'integer':
      case 'long':
        return [
          wrong,
          at('a fraction', 1.5, { why: 'type', path }),
          ...this.#ofNumber(shape, path),
        ];
      case 'map':
      case 'boolean':
      case 'double':
      case 'timestamp':
        return [wrong];
    }
  }

  #ofStructure(shape: Shape, path: string): EdgeInput[] {
    const members = Object.entries(shape.members ?? {});
    const least = this.#with(shape, shape.required ?? []);
    const below = (member: string): string => (path === '' ? member : `${path}.${member}`);
    const missing = (shape.required ?? []).flatMap((member): EdgeInput[] => {
      const refused = { why: 'missing', path: below(member) } as const;
      const { [member]: _, ...rest } = least;
      return [
        { name: `${below(member)}: missing`, input: rest, refused },
        { name: `${below(member)}: null`, input: { ...rest, [member]: null }, refused },
      ];
    });
    return [
      ...missing,
      ...members.flatMap(([member, of]) =>
        this.of(of, below(member)).map((edge) => ({
          ...edge,
          input: { ...least, [member]: edge.input },
        })),
      ),
    ];
  }

  #ofList(shape: Shape, path: string): EdgeInput[] {
    const of = shape.of ?? 'string';
    const one = this.least(of);
    const many = (length: number): unknown[] => Array.from({ length }, () => one);
    const edges: EdgeInput[] = [];
    if (shape.max !== undefined) {
      edges.push({ name: `${path}: max elements`, input: many(shape.max) });
      edges.push({
        name: `${path}: too many elements`,
        input: many(shape.max + 1),
        refused: { why: 'constraint', path, limit: 'max' },
      });
    }
    if ((shape.min ?? 0) > 0)
      edges.push({
        name: `${path}: no elements`,
        input: [],
        refused: { why: 'constraint', path, limit: 'min' },
      });
    const inner = this.of(of, `${path}.1.member`);
    return [...edges, ...inner.map((edge) => ({ ...edge, input: [edge.input] }))];
  }

  #ofText(shape: Shape, name: string, path: string): EdgeInput[] {
    const refused = (limit: string): NonNullable<EdgeInput['refused']> => ({
      why: 'constraint',
      path,
      limit,
    });
    const edges: EdgeInput[] = [];
    if (shape.enum !== undefined) {
      edges.push(...shape.enum.map((word) => ({ name: `${path}: ${word}`, input: word })));
      return [...edges, { name: `${path}: no word`, input: 'no word', refused: refused('enum') }];
    }
    const { min = 0, max = Infinity } = shape;
    if (min > 0) {
      const short = 'a'.repeat(min - 1);
      edges.push({ name: `${path}: min`, input: this.#textOf(shape, name, min) });
      edges.push({ name: `${path}: below min`, input: short, refused: refused('min') });
    }
    if (max <= textBytesMax) {
      edges.push({ name: `${path}: max`, input: this.#textOf(shape, name, max) });
      edges.push({
        name: `${path}: beyond max`,
        input: 'a'.repeat(max + 1),
        refused: refused('max'),
      });
    }
    if (shape.pattern !== undefined && !takesAnything(shape.pattern))
      edges.push({
        name: `${path}: against its pattern`,
        input: '\u0007'.repeat(Math.max(min, 1)),
        refused: refused('pattern'),
      });
    return edges;
  }

  #ofNumber(shape: Shape, path: string): EdgeInput[] {
    const refused = (limit: string): NonNullable<EdgeInput['refused']> => ({
      why: 'constraint',
      path,
      limit,
    });
    const edges: EdgeInput[] = [];
    if (shape.min !== undefined) {
      edges.push({ name: `${path}: min`, input: shape.min });
      edges.push({ name: `${path}: below min`, input: shape.min - 1, refused: refused('min') });
    }
    if (shape.max !== undefined) {
      edges.push({ name: `${path}: max`, input: shape.max });
      edges.push({ name: `${path}: beyond max`, input: shape.max + 1, refused: refused('max') });
    }
    return edges;
  }
}

function takesAnything(pattern: string): boolean {
  return pattern === '^\\S+$';
}
