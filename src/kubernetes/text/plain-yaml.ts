/** A scalar as the library's: where it stands, as it is written. */
export interface PlainScalar {
  readonly kind: 'scalar';
  readonly value: string;
  readonly type: 'PLAIN' | 'QUOTE_SINGLE' | 'QUOTE_DOUBLE' | 'BLOCK_LITERAL' | 'BLOCK_FOLDED';
  /** Begin, and end of what is written, from the begin of the text. */
  readonly range: readonly [number, number];
}

interface PlainMap {
  readonly kind: 'map';
  readonly entries: Map<string, PlainNode>;
}

interface PlainList {
  readonly kind: 'list';
  readonly items: PlainNode[];
}

/** What an alias names is the same object as its anchor's. */
export type PlainNode = PlainScalar | PlainMap | PlainList;

/** Each document's root; `undefined` for one without. */
export type PlainDocuments = readonly (PlainNode | undefined)[];

/** Of blocks, and of flow collections in a line. */
const depthMax = 60;

/** The text is not of the plain kind. */
class NotPlain extends Error {}

function refuse(): never {
  throw new NotPlain();
}

/**
 * Reads the YAML that people and generators write: block maps and lists, scalars and flow collections within one line, literal
 * blocks, anchors of scalars. Some ten times as fast as the library, of which it says the same (a property checks it); `undefined`
 * for everything else, errors too, which the library is to read.
 */
export function parsePlainYaml(text: string): PlainDocuments | undefined {
  // Runs of blanks are searched through again and again.
  if (/ {200}/.test(text)) return undefined;
  // A tab, a directive, an end mark, a control character, another line end: nothing plain.
  if (/[\t\u0085\u2028\u2029]|\r(?!\n)|^[%?]|^\.\.\.|(?!^)\ufeff/m.test(text)) return undefined;
  try {
    return readDocuments(createLines(text));
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

interface Line {
  /** Columns before the content; of a line that is taken up within, its own. */
  indent: number;
  content: string;
  /** Where the content begins. */
  offset: number;
  readonly isBlank: boolean;
}

interface Lines {
  readonly all: readonly Line[];
  at: number;
  readonly anchors: Map<string, PlainScalar>;
  depth: number;
}

function createLines(text: string): Lines {
  const all: Line[] = [];
  for (let start = text.startsWith('\ufeff') ? 1 : 0; start < text.length;) {
    const next = text.indexOf('\n', start);
    const end = next < 0 ? text.length : next;
    const line = text.slice(start, text[end - 1] === '\r' && end > start ? end - 1 : end);
    const indent = line.search(/[^ ]|$/);
    const content = line.slice(indent);
    const isBlank = content === '' || content.startsWith('#');
    all.push({ indent, content, offset: start + indent, isBlank });
    start = end + 1;
  }
  return { all, at: 0, anchors: new Map(), depth: 0 };
}

const separator = /^---(?: *| +#.*)$/;

function readDocuments(lines: Lines): PlainDocuments {
  const documents: (PlainNode | undefined)[] = [];
  let isOpen = false;
  for (;;) {
    const line = nextLine(lines);
    if (line === undefined) break;
    if (line.indent === 0 && separator.test(line.content)) {
      if (isOpen) documents.push(undefined);
      isOpen = true;
      lines.at += 1;
      continue;
    }
    lines.anchors.clear();
    documents.push(readBlock(lines, line));
    isOpen = false;
    const after = nextLine(lines);
    if (after !== undefined && !(after.indent === 0 && separator.test(after.content))) refuse();
  }
  if (isOpen) documents.push(undefined);
  return documents;
}

/** The next line with content; not taken. */
function nextLine(lines: Lines): Line | undefined {
  while (lines.all[lines.at]?.isBlank === true) lines.at += 1;
  return lines.all[lines.at];
}

function isItem({ content }: Line): boolean {
  return content === '-' || content.startsWith('- ');
}

function isEnd({ indent, content }: Line): boolean {
  return indent === 0 && content.startsWith('---');
}

function readBlock(lines: Lines, line: Line): PlainNode {
  if (isEnd(line)) refuse();
  lines.depth += 1;
  if (lines.depth > depthMax) refuse();
  const node = isItem(line) ? readList(lines, line.indent) : readMap(lines, line.indent);
  lines.depth -= 1;
  return node;
}

const keyPattern = /^(?:([A-Za-z0-9_$./][\w$./-]*)|"([^"\\]+)"|'([^']+)'):(?: +|$)/;

function readMap(lines: Lines, column: number): PlainMap {
  const entries = new Map<string, PlainNode>();
  for (;;) {
    const line = nextLine(lines);
    if (line === undefined || line.indent < column || isEnd(line)) return { kind: 'map', entries };
    const found = line.indent === column ? keyPattern.exec(line.content) : null;
    if (found === null) refuse();
    const key = found[1] ?? found[2] ?? found[3] ?? '';
    if (entries.has(key) || key.length > 500) refuse();
    const size = found[0].length;
    entries.set(key, readValue(lines, line.content.slice(size), line.offset + size, column, true));
  }
}

function readList(lines: Lines, column: number): PlainList {
  const items: PlainNode[] = [];
  for (;;) {
    const line = nextLine(lines);
    if (
      line === undefined ||
      line.indent < column ||
      isEnd(line) ||
      (line.indent === column && !isItem(line))
    )
      return { kind: 'list', items };
    if (line.indent > column) refuse();
    const size = line.content.search(/(?<=^- *)[^ -]|(?<=^- +)-|$/);
    const content = line.content.slice(size);
    if (content.startsWith('- ') || content === '-') refuse();
    if (keyPattern.test(content)) {
      line.indent += size;
      line.content = content;
      line.offset += size;
      items.push(readBlock(lines, line));
    } else items.push(readValue(lines, content, line.offset + size, column, false));
  }
}

/** What stands behind a key or a dash: on this line, or on those below that are further in. */
function readValue(
  lines: Lines,
  text: string,
  offset: number,
  column: number,
  isKey: boolean,
): PlainNode {
  lines.at += 1;
  if (text === '' || text.startsWith('#')) {
    const below = nextLine(lines);
    const isBelow =
      below !== undefined &&
      !isEnd(below) &&
      (below.indent > column || (isKey && below.indent === column && isItem(below)));
    if (isBelow) return readBlock(lines, below);
    return { kind: 'scalar', value: '', type: 'PLAIN', range: [offset, offset] };
  }
  if (text.startsWith('|')) return readLiteral(lines, text, offset, column);
  const reader: Reader = { text, at: 0, offset, anchors: lines.anchors, depth: 0 };
  const node = readInline(reader, false);
  const rest = text.slice(reader.at);
  if (!/^ *$|^ +#/.test(rest)) refuse();
  // What is further in on the next line would go on with this value: no map and no list takes it.
  return node;
}

function readLiteral(lines: Lines, header: string, offset: number, column: number): PlainScalar {
  const sign = /^\|(-?)(?: *$| +#)/.exec(header);
  if (sign === null) refuse();
  let first = lines.at;
  while (lines.all[first]?.content === '') first += 1;
  const indent = lines.all[first]?.indent ?? 0;
  if (indent <= column) refuse();
  const kept: string[] = [];
  let end = offset + header.length;
  for (let line = lines.all[lines.at]; line !== undefined; line = lines.all[lines.at]) {
    if (line.content !== '' && line.indent < indent) break;
    // Blanks beyond the indent are content, those of the first lines an error.
    if (line.content === '' && line.indent > indent) refuse();
    kept.push(line.content === '' ? '' : ' '.repeat(line.indent - indent) + line.content);
    end = line.offset + line.content.length;
    lines.at += 1;
  }
  const below = lines.all[lines.at];
  // A comment or a line further in than the key and less than the block is read in other ways.
  if (below !== undefined && below.indent > column) refuse();
  const value = kept.join('\n').replace(/\n+$/, '');
  return {
    kind: 'scalar',
    value: sign[1] === '-' ? value : `${value}\n`,
    type: 'BLOCK_LITERAL',
    range: [offset, end],
  };
}

/** A line's value, read on from `at`. */
interface Reader {
  readonly text: string;
  at: number;
  readonly offset: number;
  readonly anchors: Map<string, PlainScalar>;
  depth: number;
}

function readInline(reader: Reader, isFlow: boolean): PlainNode {
  const { text } = reader;
  const anchor = /^&([\w-]+) +/.exec(text.slice(reader.at, reader.at + 200));
  if (anchor !== null) reader.at += anchor[0].length;
  const first = text[reader.at] ?? refuse();
  if (first === '*' && anchor === null) {
    const name = /^\*([\w-]+)(?=[ ,\]}]|$)/.exec(text.slice(reader.at, reader.at + 200));
    const node = reader.anchors.get(name?.[1] ?? '') ?? refuse();
    reader.at += name?.[0].length ?? 0;
    return node;
  }
  if ((first === '{' || first === '[') && anchor === null) return readFlow(reader, first);
  const scalar =
    first === '"' || first === "'" ? readQuoted(reader, first) : readPlain(reader, isFlow);
  if (anchor?.[1] !== undefined) reader.anchors.set(anchor[1], scalar);
  return scalar;
}

function readQuoted(reader: Reader, quote: '"' | "'"): PlainScalar {
  const { text, at: start, offset } = reader;
  const end = text.indexOf(quote, start + 1);
  const value = text.slice(start + 1, end);
  if (end < 0 || text[end + 1] === "'" || (quote === '"' && value.includes('\\'))) refuse();
  reader.at = end + 1;
  const type = quote === '"' ? 'QUOTE_DOUBLE' : 'QUOTE_SINGLE';
  return { kind: 'scalar', value, type, range: [offset + start, offset + end + 1] };
}

function readPlain(reader: Reader, isFlow: boolean): PlainScalar {
  const { text, at: start, offset } = reader;
  const rest = text.slice(start);
  const end = rest.search(isFlow ? /[,[\]{}]|:(?= |$)| +#| *$/ : / +#| *$/);
  const value = rest.slice(0, end).replace(/ +$/, '');
  // Indicators at the begin, and what would be a key.
  if (!/^(?:[\w./$+=(~^;<\\]|-[\w-])/.test(value) || /:(?: |$)/.test(value)) refuse();
  reader.at = start + value.length;
  return {
    kind: 'scalar',
    value,
    type: 'PLAIN',
    range: [offset + start, offset + start + value.length],
  };
}

function readFlow(reader: Reader, open: '{' | '['): PlainNode {
  const close = open === '{' ? '}' : ']';
  const node: PlainNode =
    open === '{' ? { kind: 'map', entries: new Map() } : { kind: 'list', items: [] };
  reader.at += 1;
  reader.depth += 1;
  if (reader.depth > depthMax) refuse();
  skipBlanks(reader);
  while (reader.text[reader.at] !== close) {
    if (node.kind === 'list') node.items.push(readInline(reader, true));
    else {
      const key = readInline(reader, true);
      const sign = /^:(?: +)/.exec(reader.text.slice(reader.at, reader.at + 100));
      if (key.kind !== 'scalar' || sign === null || node.entries.has(key.value)) refuse();
      reader.at += sign[0].length;
      node.entries.set(key.value, readInline(reader, true));
    }
    skipBlanks(reader);
    if (reader.text[reader.at] === ',') {
      reader.at += 1;
      skipBlanks(reader);
      // Lists may end with a comma; that is not plain.
      if (reader.text[reader.at] === close) refuse();
    } else if (reader.text[reader.at] !== close) refuse();
  }
  reader.at += 1;
  reader.depth -= 1;
  return node;
}

function skipBlanks(reader: Reader): void {
  while (reader.text[reader.at] === ' ') reader.at += 1;
}

/** Maps, lists and texts; what an alias names is one text. */
export function plainValue(node: PlainNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plainValue);
  const map: Record<string, unknown> = {};
  for (const [key, child] of node.entries) {
    const value = plainValue(child);
    if (key === '__proto__')
      Object.defineProperty(map, key, { value, enumerable: true, configurable: true });
    else map[key] = value;
  }
  return map;
}

/** The scalar at a path; `undefined` for all else. */
export function plainScalarAt(
  root: PlainNode | undefined,
  path: readonly (string | number)[],
): PlainScalar | undefined {
  let node = root;
  for (const key of path) {
    if (node?.kind === 'map') node = node.entries.get(String(key));
    else node = node?.kind === 'list' ? node.items[Number(key)] : undefined;
  }
  return node?.kind === 'scalar' ? node : undefined;
}

/** Where two readings of a text differ beside the scalars that were to change, in characters of the first; `undefined`: nowhere. */
export function plainDifference(
  before: PlainDocuments,
  after: PlainDocuments,
  changed: ReadonlyMap<unknown, string>,
): string | undefined {
  if (before.length !== after.length)
    return `it had ${before.length} documents and would have ${after.length}`;
  const met = new Set<PlainNode>();
  const differs = (a: PlainNode | undefined, b: PlainNode | undefined): PlainNode | undefined => {
    if (a === undefined || b === undefined) return a ?? b;
    if (a.kind === 'scalar') {
      const value = changed.get(a);
      if (value !== undefined) met.add(a);
      const isStyled = value !== undefined || (b.kind === 'scalar' && a.type === b.type);
      return b.kind === 'scalar' && isStyled && b.value === (value ?? a.value) ? undefined : a;
    }
    if (a.kind === 'list') {
      if (b.kind !== 'list' || a.items.length !== b.items.length) return a;
      return firstOf(a.items, (item, index) => differs(item, b.items[index]));
    }
    if (b.kind !== 'map' || [...a.entries.keys()].join('\0') !== [...b.entries.keys()].join('\0'))
      return a;
    return firstOf([...a.entries], ([key, child]) => differs(child, b.entries.get(key)));
  };
  const found = firstOf(before, (root, index) => differs(root, after[index]));
  if (found !== undefined) return `the value at character ${beginOf(found)} would be another`;
  return met.size === changed.size ? undefined : 'not every changed value would be there';
}

function firstOf<Item, Found>(
  items: readonly Item[],
  find: (item: Item, index: number) => Found | undefined,
): Found | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}

function beginOf(node: PlainNode): number {
  if (node.kind === 'scalar') return node.range[0];
  const [first] = node.kind === 'list' ? node.items : node.entries.values();
  return first === undefined ? 0 : beginOf(first);
}
