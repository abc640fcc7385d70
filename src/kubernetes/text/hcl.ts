import { isObject } from '../../domain/json.ts';
import type { FieldPath } from '../places/image-place.ts';
import { fieldText } from '../places/image-place.ts';
import type { Parameter } from '../places/values-places.ts';
import { parameterPlaces, valuesPlaces } from '../places/values-places.ts';
import type { ReadText, Slot } from './read-text.ts';
import { literalSlot, scannedText } from './scanned-text.ts';
import type { ScannedPlace } from './scanned-text.ts';

/**
 * Reads HCL (Terraform, Nomad, Packer): attributes that are literal strings, in blocks and in objects, in the shapes of values;
 * `set { name value }` as Helm's `--set`. Expressions say nothing here. Tolerant: what is no HCL has no places.
 */
export function readHcl(text: string): ReadText {
  return scannedText(text, scanHcl);
}

const depthMax = 64;

interface Lexeme {
  readonly kind: 'word' | 'string' | 'mark' | 'line';
  /** Of a string what is between its quotes. */
  readonly text: string;
  readonly start: number;
}

/** Comments and blanks are nothing; a string may hold `${…}` with strings inside. */
function* lexemesOf(text: string): Generator<Lexeme> {
  const pattern =
    /#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|(?![\s\S]))|<<-?(\w+)[^\n]*\n[\s\S]*?(?:^[ \t]*\1[ \t]*\r?$|(?![\s\S]))|"|[A-Za-z_][\w.-]*|\n|[^\s"]/gm;
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    const [match] = found;
    const start = found.index;
    if (match === '"') {
      const end = endOfString(text, start + 1);
      yield { kind: 'string', text: text.slice(start + 1, end), start: start + 1 };
      pattern.lastIndex = end + 1;
    } else if (match === '\n') yield { kind: 'line', text: match, start };
    else if (/^(?:#|\/\/|\/\*|<<)/.test(match)) continue;
    else yield { kind: /^\w/.test(match) ? 'word' : 'mark', text: match, start };
  }
}

function endOfString(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '\n' && depth === 0) return at;
    else if ((character === '$' || character === '%') && text[at + 1] === '{') {
      depth += 1;
      at += 1;
    } else if (depth > 0 && character === '{') depth += 1;
    else if (depth > 0 && character === '}') depth -= 1;
    else if (character === '"' && depth === 0) return at;
  }
  return text.length;
}

/** Strings by their path, and the nesting that they stand in. */
interface Tree {
  readonly root: Record<string, unknown>;
  readonly slots: ReadonlyMap<string, Slot>;
}

function scanHcl(text: string): readonly ScannedPlace[] {
  const { root, slots } = parseHcl(text);
  const slotAt = (path: FieldPath | undefined): Slot | undefined =>
    path === undefined ? undefined : slots.get(path.join('\0'));
  const given = parameterPlaces(parametersIn(root, []));
  const taken = new Set(given.map(({ path }) => path.join('\0')));
  const plain = valuesPlaces(root).filter(({ path }) => !taken.has(path.join('\0')));
  return [...plain, ...given]
    .flatMap(({ path, parts, ...place }): readonly ScannedPlace[] => {
      const main = slotAt(parts?.repository ?? path);
      if (main === undefined) return [];
      const registry = slotAt(parts?.registry);
      const found = { ...place, field: fieldText(path), offset: main.start };
      if (parts === undefined) return [{ ...found, whole: main }];
      return [{ ...found, split: { ...(registry && { registry }), repository: main } }];
    })
    .toSorted((a, b) => a.offset - b.offset);
}

/** Blocks and objects as maps: `resource "a" "b" { image = "x" }` is `{resource: {a: {b: [{image: 'x'}]}}}` without the labels' maps. */
function parseHcl(text: string): Tree {
  const root = openMap([], '');
  const slots = new Map<string, Slot>();
  const lexemes = [...lexemesOf(text)];
  const open: OpenMap[] = [root];
  let key: string | undefined;
  for (let at = 0; at < lexemes.length; at += 1) {
    const lexeme = lexemes[at];
    const top = open.at(-1);
    if (lexeme === undefined || top === undefined) break;
    const next = lexemes[at + 1];
    const { kind, text: word } = lexeme;
    if (kind === 'line' || (kind === 'mark' && word === ',')) {
      if (top.close !== ')') key = undefined;
    } else if (kind === 'mark' && '{[('.includes(word) && open.length < depthMax) {
      const name = freeKey(top, key);
      const below = openMap([...top.path, name], { '{': '}', '[': ']' }[word] ?? ')');
      top.map[name] = below.map;
      open.push(below);
      key = undefined;
    } else if (kind === 'mark' && word === top.close && open.length > 1) {
      open.pop();
      key = undefined;
    } else if (isKey(lexeme, next, lexemes[at + 2])) {
      key = word;
      // `==` and `=>` are no assignments; the colon and the sign are read with the key.
      if (next?.kind === 'mark' && '=:'.includes(next.text)) at += 1;
    } else if (kind === 'string' && (key !== undefined || top.close === ']')) {
      if (!isLiteral(lexemes[at - 1], lexeme, next)) continue;
      const name = freeKey(top, key);
      top.map[name] = word;
      slots.set([...top.path, name].join('\0'), literalSlot(word, lexeme.start));
    } else if (kind === 'word' && key === undefined && next?.kind === 'string') key = word;
  }
  return { root: root.map, slots };
}

/** A block or object, or the brackets of a list or expression. */
interface OpenMap {
  readonly map: Record<string, unknown>;
  readonly path: FieldPath;
  readonly close: string;
  /** How often each key came. */
  readonly counts: Map<string, number>;
}

function openMap(path: FieldPath, close: string): OpenMap {
  const map: Record<string, unknown> = Object.create(null);
  return { map, path, close, counts: new Map() };
}

/** The whole value of an attribute, or an item of a list. */
function isLiteral(before: Lexeme | undefined, string: Lexeme, after: Lexeme | undefined): boolean {
  const isMark = (lexeme: Lexeme | undefined, marks: string): boolean =>
    lexeme === undefined ||
    lexeme.kind === 'line' ||
    (lexeme.kind === 'mark' && marks.includes(lexeme.text));
  return isMark(after, ',}])') && isMark(before, '=:,[(') && !string.text.includes('\\');
}

/** A word or string before `=` or `:`, or a word before a block's brace. */
function isKey(lexeme: Lexeme, next: Lexeme | undefined, after: Lexeme | undefined): boolean {
  if (lexeme.kind === 'mark' || next?.kind !== 'mark') return false;
  if (next.text === '{') return lexeme.kind === 'word';
  if (next.text !== '=' && next.text !== ':') return false;
  return !(after?.kind === 'mark' && (after.text === '=' || after.text === '>'));
}

/** Blocks of one name stand side by side; items of a list have numbers. */
function freeKey({ counts }: OpenMap, key = ''): string {
  const count = counts.get(key) ?? 0;
  counts.set(key, count + 1);
  if (key === '') return String(count);
  return count === 0 ? key : `${key}#${count + 1}`;
}

/** The `name` and `value` of every block and object that has both, each group by what they stand in. */
function parametersIn(node: unknown, path: FieldPath): readonly Parameter[] {
  if (!isObject(node)) return [];
  return Object.entries(node).flatMap(([key, child]) => {
    const at = [...path, key];
    if (
      isObject(child) &&
      typeof child['name'] === 'string' &&
      typeof child['value'] === 'string'
    ) {
      // Values of one release belong together, those of another do not.
      const name = `${path
        .filter((part) => !/^set(?:#\d+)?$/.test(String(part)))
        .join('/')
        .replaceAll('.', '_')}.${child['name']}`;
      return [{ name, value: child['value'], path: [...at, 'value'] }];
    }
    return parametersIn(child, at);
  });
}
