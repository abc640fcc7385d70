import type { Document, Node, ParsedNode, YAMLError } from 'yaml';
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { ConfigProblem } from './config-error.ts';

/** The largest YAML text that is read. */
export const yamlBytesMax: number = 1024 * 1024;

/** A YAML text as plain values, which remembers where each of them stands. */
export interface YamlSource {
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Where a path's value begins, or its key; the nearest thing around it where the path itself is not written. */
  position(path: readonly PropertyKey[], part: 'key' | 'value'): YamlPosition | undefined;
}

/** From 1. */
export interface YamlPosition {
  readonly line: number;
  readonly column: number;
}

/**
 * `place` says whose text it is in the problems. With the schema `failsafe` each scalar is the text that is written, so that `012345678901`
 * keeps its zero. Nothing is thrown: a text that can't be read has problems and no value.
 */
export function readYaml(
  text: string,
  place: Pick<ConfigProblem, 'file' | 'environment'>,
  schema: 'core' | 'failsafe' = 'core',
): YamlSource {
  const lines = new LineCounter();
  const problem = (message: string, offset?: number): ConfigProblem => ({
    message,
    key: '',
    ...place,
    ...(offset === undefined ? {} : positionAt(lines, offset)),
  });
  const broken = (...problems: ConfigProblem[]): YamlSource => ({
    value: undefined,
    problems,
    position: () => undefined,
  });
  if (text.length > yamlBytesMax) return broken(problem(`longer than ${yamlBytesMax} characters`));
  try {
    const document: Document.Parsed = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      schema,
    });
    const faults = [...document.errors, ...document.warnings];
    if (faults.length > 0) {
      const told = new Map(faults.map((fault) => [describe(fault, text), fault.pos[0]] as const));
      return broken(...[...told].map(([message, offset]) => problem(message, offset)));
    }
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return {
      value,
      problems: [],
      position: (path, part) => positionOf(document, lines, path, part),
    };
  } catch (error) {
    // The composer recurses, and aliases can multiply: what is too deep or too much ends here.
    const what =
      error instanceof RangeError
        ? 'nested too deeply'
        : 'with too many aliases, or aliases of nothing';
    return broken(problem(`not readable: ${what}`));
  }
}

function describe(fault: YAMLError, text: string): string {
  if (fault.code === 'DUPLICATE_KEY') {
    const key = /^[^\s:]{1,80}/.exec(text.slice(fault.pos[0]))?.[0] ?? '';
    return `"${key}" is written twice; keep one`;
  }
  if (fault.code === 'TAB_AS_INDENT') return 'a tab indents this line; use spaces';
  if (fault.code === 'BLOCK_AS_IMPLICIT_KEY' || fault.code === 'MULTILINE_IMPLICIT_KEY')
    return 'the line below is indented as if it belonged to this value; begin it in the column of its neighbours';
  if (fault.message.startsWith('Sequence item without - indicator'))
    return 'this line is indented like none around it; begin it in the column of its neighbours';
  if (fault.code === 'MULTIPLE_DOCS') return 'a second document begins here; keep one';
  return `not valid YAML: ${fault.message.split('\n', 1)[0] ?? fault.code}`;
}

function positionAt(lines: LineCounter, offset: number): YamlPosition {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function positionOf(
  document: Document.Parsed,
  lines: LineCounter,
  path: readonly PropertyKey[],
  part: 'key' | 'value',
): YamlPosition | undefined {
  let node: Node | null = document.contents;
  let offset = offsetOf(node);
  for (const [index, step] of path.entries()) {
    const found = child(document, node, step);
    if (found === undefined) break;
    node = found.value;
    const wanted = part === 'key' && index === path.length - 1 ? found.key : found.value;
    offset = offsetOf(wanted) ?? offsetOf(found.key) ?? offset;
  }
  return offset === undefined ? undefined : positionAt(lines, offset);
}

function child(
  document: Document.Parsed,
  parent: Node | null,
  step: PropertyKey,
): { readonly key: Node | null; readonly value: Node | null } | undefined {
  const node = isAlias(parent) ? parent.resolve(document) : parent;
  if (isSeq<ParsedNode>(node)) {
    const value = typeof step === 'number' ? node.items[step] : undefined;
    return value && { key: value, value };
  }
  if (!isMap<ParsedNode, ParsedNode | null>(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
  return pair && { key: pair.key, value: pair.value };
}

function offsetOf(node: Node | null | undefined): number | undefined {
  return node?.range?.[0];
}
