/** A line `key = value` of a TOML text, with the table that it is in. */
export interface TomlLine {
  readonly table: readonly string[];
  readonly key: string;
  /** Texts in quotes, of one value or of a list; others (numbers, truth values) are not told. */
  readonly texts: readonly string[];
  /** From 1. */
  readonly line: number;
}

export interface TomlTable {
  readonly path: readonly string[];
  readonly line: number;
}

export interface TomlOutline {
  readonly tables: readonly TomlTable[];
  readonly lines: readonly TomlLine[];
}

const header = /^\s*\[{1,2}\s*(.+?)\s*\]{1,2}\s*(?:#.*)?$/;
const assignment = /^\s*("[^"]*"|'[^']*'|[\w.-]+)\s*=\s*(.*)$/;
const bytesMax = 1024 * 1024;

/** Tables and texts of a configuration, read line by line: what settings of registries are made of. Values in several lines are lists alone. */
export function readTomlOutline(text: string): TomlOutline {
  const tables: TomlTable[] = [];
  const lines: TomlLine[] = [];
  let table: readonly string[] = [];
  const rows = text.slice(0, bytesMax).split(/\r?\n/);
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index] ?? '';
    const line = index + 1;
    const [, key, first = ''] = assignment.exec(row) ?? [];
    if (key !== undefined) {
      let value = withoutComment(first);
      while (isOpen(value) && index + 1 < rows.length) {
        index += 1;
        value += withoutComment(rows[index] ?? '');
      }
      const path = keysOf(key);
      const name = path.at(-1) ?? '';
      lines.push({
        table: [...table, ...path.slice(0, -1)],
        key: name,
        texts: textsOf(value),
        line,
      });
      continue;
    }
    const [, path] = header.exec(row) ?? [];
    if (path === undefined) continue;
    table = keysOf(path);
    tables.push({ path: table, line });
  }
  return { tables, lines };
}

function isOpen(value: string): boolean {
  const bare = value.replaceAll(/"[^"]*"|'[^']*'/g, '');
  return bare.trimStart().startsWith('[') && !bare.includes(']');
}

function withoutComment(text: string): string {
  const [code = ''] = /^(?:[^"'#]|"[^"]*"|'[^']*')*/.exec(text) ?? [];
  return code;
}

function keysOf(path: string): readonly string[] {
  const parts = path.match(/"[^"]*"|'[^']*'|[^\s."']+/g) ?? [];
  return parts.map((part) => part.replaceAll(/^["']|["']$/g, ''));
}

function textsOf(value: string): readonly string[] {
  return (value.match(/"[^"]*"|'[^']*'/g) ?? []).map((text) => text.slice(1, -1));
}
