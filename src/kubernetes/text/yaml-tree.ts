import type { CST, Node, Pair, YAMLMap } from 'yaml';
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser } from 'yaml';
import type { Document, Scalar } from 'yaml';
import type { FieldPath } from '../places/image-place.ts';

/** Deeper nesting is an error. */
const depthMax = 200;
/** Aliases of one text. */
const aliasesMax = 10_000;

/** One document of a YAML or JSON text as the library read it: its values, every scalar as the text that it is, and where they stand. */
export interface YamlTree {
  /** Maps, lists and texts; what an alias names is the same object as its anchor's. */
  readonly value: unknown;
  /** The scalar at a path, through aliases and merges; `undefined` for all else. */
  scalarAt(path: FieldPath): Scalar<string> | undefined;
  readonly root: Node | null;
}

/** Why a text can't be read. */
export class YamlProblem extends Error {
  override readonly name = 'YamlProblem';
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Every scalar stays a text: `tag: 1.10` is no number here. Duplicate keys are the reader's matter; the last counts. */
const options = {
  schema: 'failsafe',
  uniqueKeys: false,
  merge: false,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

/** In UTF-16 units: some 20 s of reading and 500 MB at the most. */
const charactersMax = 4 * 1024 * 1024;
/** The parser reads all directives before it anew for each. */
const directivesMax = 64;
/** Of brackets alone, before anything is parsed: whatever is in quotes counts too. */
const bracketsMax = 2000;

/** What would keep the parser busy for minutes. */
function refuseExcess(text: string): void {
  if (text.length > charactersMax)
    throw new YamlProblem(`it is larger than ${charactersMax / 1024 / 1024} MiB`, 0);
  let directives = 0;
  for (const { index } of text.matchAll(/^%/gm)) {
    directives += 1;
    if (directives > directivesMax)
      throw new YamlProblem(`it has more than ${directivesMax} directives`, index);
  }
  const nested = /(?:[-?:][ \t]+){200}/.exec(text);
  if (nested !== null) throw new YamlProblem('it is nested too deeply', nested.index);
  let open = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    // [ and {, ] and }
    if (code === 0x5b || code === 0x7b) open += 1;
    else if ((code === 0x5d || code === 0x7d) && open > 0) open -= 1;
    if (open > bracketsMax) throw new YamlProblem('it is nested too deeply', index);
  }
}

/** A text taken apart. */
export interface YamlText {
  readonly trees: readonly YamlTree[];
  /** What the lexer made of it, marks of no width included: everything else follows from these. */
  readonly lexemes: readonly string[];
}

/** The documents of a YAML or JSON text. Throws `YamlProblem` where it is none, or has more aliases or nesting than anything real. */
export function parseYaml(text: string): YamlText {
  refuseExcess(text);
  try {
    const lexemes: string[] = [];
    const composer = new Composer(options);
    const documents = [...composer.compose(tokensOf(text, lexemes))];
    const counts: Counts = { aliases: 0 };
    const trees = documents.map((document) => {
      const error = document.errors[0];
      if (error !== undefined) throw new YamlProblem(firstLine(error.message), error.pos[0]);
      return createTree(document, counts);
    });
    return { trees, lexemes };
  } catch (error) {
    if (error instanceof RangeError) throw new YamlProblem('it is nested too deeply', 0);
    throw error;
  }
}

function* tokensOf(text: string, lexemes: string[]): Generator<CST.Token> {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    lexemes.push(lexeme);
    yield* parser.next(lexeme);
  }
  yield* parser.end();
}

function firstLine(message: string): string {
  return (message.split('\n', 1)[0] ?? message).replace(/[.:]$/, '');
}

interface Counts {
  aliases: number;
}

function createTree(document: Document.Parsed, counts: Counts): YamlTree {
  const build = createBuilder(counts);
  const value = document.contents === null ? undefined : build.value(document.contents, 0);
  return {
    value,
    root: document.contents,
    scalarAt(path) {
      let node: Node | undefined = document.contents ?? undefined;
      for (const key of path) node = node && build.child(node, key);
      node = node && build.resolve(node);
      return isScalar(node) && typeof node.value === 'string'
        ? (node as Scalar<string>)
        : undefined;
    },
  };
}

interface Builder {
  value(node: Node, depth: number): unknown;
  resolve(node: Node): Node | undefined;
  child(node: Node, key: string | number): Node | undefined;
}

function createBuilder(counts: Counts): Builder {
  const anchors = new Map<string, { readonly node: Node; readonly value: unknown }>();
  /** An anchor may be set anew further down: an alias means the one before it. */
  const targets = new Map<Node, { readonly node: Node; readonly value: unknown }>();

  const build: Builder = {
    value(node, depth) {
      if (depth > depthMax)
        throw new YamlProblem(`it is nested more than ${depthMax} levels deep`, startOf(node));
      if (isAlias(node)) {
        counts.aliases += 1;
        if (counts.aliases > aliasesMax)
          throw new YamlProblem(`it has more than ${aliasesMax} aliases`, startOf(node));
        const target = anchors.get(node.source);
        if (target === undefined)
          throw new YamlProblem(`the alias *${node.source} has no anchor before it`, startOf(node));
        targets.set(node, target);
        return target.value;
      }
      const value = valueOf(node, depth);
      const anchor = 'anchor' in node ? node.anchor : undefined;
      if (anchor !== undefined) anchors.set(anchor, { node, value });
      return value;
    },
    resolve: (node) => (isAlias(node) ? targets.get(node)?.node : node),
    child(node, key) {
      const there = build.resolve(node);
      if (isSeq(there)) {
        const item = there.items[Number(key)];
        return item as Node | undefined;
      }
      return isMap(there) ? childOfMap(there, String(key), build) : undefined;
    },
  };

  const valueOf = (node: Node, depth: number): unknown => {
    if (isScalar(node)) return typeof node.value === 'string' ? node.value : String(node.value);
    if (isSeq(node)) return node.items.map((item) => build.value(item as Node, depth + 1));
    if (!isMap(node)) return undefined;
    return mapValue(node as YAMLMap<Node, Node | null>, depth, build);
  };
  return build;
}

function mapValue(node: YAMLMap<Node, Node | null>, depth: number, build: Builder): unknown {
  const map: Record<string, unknown> = {};
  const merged: unknown[] = [];
  for (const { key, value } of node.items) {
    const name = keyText(key);
    const child = value === null ? '' : build.value(value, depth + 1);
    if (name === undefined) throw new YamlProblem('a key is no text', startOf(key));
    if (name === '<<' && isPlain(key)) merged.push(...(Array.isArray(child) ? child : [child]));
    else setOwn(map, name, child);
  }
  for (const source of merged)
    if (typeof source === 'object' && source !== null)
      for (const [name, child] of Object.entries(source))
        if (!Object.hasOwn(map, name)) setOwn(map, name, child);
  return map;
}

function setOwn(map: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(map, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  else map[name] = value;
}

/** By the last pair of that name, else by what is merged in; a map that several merge is looked into once. */
function childOfMap(
  map: YAMLMap,
  key: string,
  build: Builder,
  seen: Set<YAMLMap> = new Set(),
): Node | undefined {
  if (seen.has(map)) return undefined;
  seen.add(map);
  const pairs = map.items as readonly Pair<Node, Node | null>[];
  const own = pairs.findLast((pair) => keyText(pair.key) === key);
  if (own !== undefined) return own.value ?? undefined;
  for (const pair of pairs) {
    if (keyText(pair.key) !== '<<' || !isPlain(pair.key) || pair.value === null) continue;
    const source = build.resolve(pair.value);
    for (const each of isSeq(source) ? (source.items as readonly Node[]) : [source]) {
      const target = each && build.resolve(each);
      const found = isMap(target) ? childOfMap(target, key, build, seen) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function keyText(key: Node | null): string | undefined {
  if (key === null) return '';
  return isScalar(key) ? String(key.value) : undefined;
}

function isPlain(key: Node): boolean {
  return isScalar(key) && key.type === 'PLAIN';
}

function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

/** Where two readings of a text differ beside the scalars that were to change; `undefined`: nowhere. */
export function differenceOf(
  before: readonly YamlTree[],
  after: readonly YamlTree[],
  changed: ReadonlyMap<unknown, string>,
): string | undefined {
  if (before.length !== after.length)
    return `it had ${before.length} documents and would have ${after.length}`;
  let met = 0;
  const differs = (a: Node | null | undefined, b: Node | null | undefined): Node | undefined => {
    if (!a || !b) return a || b || undefined;
    if (isAlias(a)) return isAlias(b) && a.source === b.source ? undefined : a;
    if (!sameProperties(a, b)) return a;
    if (isScalar(a)) {
      const value = changed.get(a);
      if (value !== undefined) met += 1;
      return isScalar(b) && b.value === (value ?? a.value) ? undefined : a;
    }
    if (isSeq(a)) {
      if (!isSeq(b) || a.items.length !== b.items.length) return a;
      for (const [index, item] of a.items.entries()) {
        const found = differs(item as Node, b.items[index] as Node);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    if (!isMap(a) || !isMap(b) || a.items.length !== b.items.length) return a;
    for (const [index, pair] of a.items.entries()) {
      const other = b.items[index];
      const found =
        differs(pair.key as Node, other?.key as Node) ??
        differs(pair.value as Node, other?.value as Node);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  for (const [index, tree] of before.entries()) {
    const found = differs(tree.root, after[index]?.root);
    if (found !== undefined) return `the value at character ${startOf(found)} would be another`;
  }
  return met === changed.size ? undefined : 'not every changed value would be there';
}

function sameProperties(a: Node, b: Node): boolean {
  if (isAlias(a) || isAlias(b)) return false;
  return a.anchor === b.anchor && a.tag === b.tag;
}
