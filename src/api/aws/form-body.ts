import { InputRefused } from './input.ts';
import { shapeNamed } from './service-model.ts';
import type { ServiceModel, Shape } from './service-model.ts';

const parametersMax = 2000;

/** The parameters of a form or a query, the first of each name; `undefined`: too many, or not decodable. */
export function readForm(text: string): ReadonlyMap<string, string> | undefined {
  if (!hasAtMost(text, parametersMax)) return undefined;
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text))
    if (!parameters.has(name)) parameters.set(name, value);
  return parameters;
}

/** Looked at before any is read: nobody has signed a form yet, and 100,000 pairs, also of one name, cost a quarter of a second. */
function hasAtMost(text: string, pairsMax: number): boolean {
  let pairs = 1;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1))
    if ((pairs += 1) > pairsMax) return false;
  return true;
}

/**
 * Parameters of the query protocol as the JSON value of a shape: `Tags.member.1.Key` is the first element's (AWS query protocol). Numbers
 * and booleans are read; what is none throws `InputRefused`.
 */
export function valueOfForm(
  model: ServiceModel,
  shape: string,
  parameters: ReadonlyMap<string, string>,
): unknown {
  return new FormReader(model, parameters).read(shape, '') ?? {};
}

class FormReader {
  readonly #model: ServiceModel;
  readonly #parameters: ReadonlyMap<string, string>;
  /** Every name, and what each begins with up to a dot. */
  readonly #prefixes: Set<string>;

  constructor(model: ServiceModel, parameters: ReadonlyMap<string, string>) {
    this.#model = model;
    this.#parameters = parameters;
    this.#prefixes = new Set();
    for (const name of parameters.keys())
      for (let dot = name.indexOf('.'), dots = 0; dot >= 0 && dots < depthMax; dots += 1) {
        this.#prefixes.add(name.slice(0, dot));
        dot = name.indexOf('.', dot + 1);
      }
  }

  read(name: string, path: string): unknown {
    const shape = shapeNamed(this.#model, name);
    switch (shape.type) {
      case 'structure':
        return this.#structure(shape, path);
      case 'list':
        return this.#list(shape, path);
      case 'map':
        throw new Error('no operation that is served takes a map in a form');
      case 'integer':
      case 'long':
      case 'double':
        return this.#number(shape, path);
      case 'boolean':
        return this.#boolean(shape, path);
      case 'string':
      case 'blob':
      case 'timestamp':
        return this.#parameters.get(path);
    }
  }

  #structure(shape: Shape, path: string): unknown {
    if (path !== '' && !this.#prefixes.has(path)) return undefined;
    const read: Record<string, unknown> = {};
    for (const [member, of] of Object.entries(shape.members ?? {})) {
      const value = this.read(of, path === '' ? member : `${path}.${member}`);
      if (value !== undefined) read[member] = value;
    }
    return read;
  }

  #list(shape: Shape, path: string): unknown {
    const inner = shape.flattened === true ? path : `${path}.member`;
    const elements: unknown[] = [];
    for (let index = 1; this.#has(`${inner}.${index}`); index += 1)
      elements.push(this.read(shape.of ?? 'string', `${inner}.${index}`));
    // An empty list is sent as `Tags=`.
    return elements.length > 0 || this.#parameters.has(path) ? elements : undefined;
  }

  #has(path: string): boolean {
    return this.#parameters.has(path) || this.#prefixes.has(path);
  }

  #number(shape: Shape, path: string): number | undefined {
    const text = this.#parameters.get(path);
    if (text === undefined) return undefined;
    if (/^[+-]?\d{1,15}(?:\.\d{1,15})?$/.test(text)) return Number(text);
    throw malformed(shape, path);
  }

  #boolean(shape: Shape, path: string): boolean | undefined {
    const text = this.#parameters.get(path)?.toLowerCase();
    if (text === undefined) return undefined;
    if (text === 'true' || text === 'false') return text === 'true';
    throw malformed(shape, path);
  }
}

/** No input that is served is deeper. */
const depthMax = 12;

function malformed({ type }: Shape, path: string): InputRefused {
  return new InputRefused({ why: 'type', path, expected: type, found: 'STRING_VALUE' });
}
