export interface Column<Item> {
  readonly header: string;
  readonly value: (item: Item) => string;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
}

/** Columns side by side, two spaces apart; nothing is cut, so that a pipe gets what a terminal shows. */
export function renderTable<Item>(
  items: readonly Item[],
  columns: readonly Column<Item>[],
  options: { readonly wide: boolean; readonly headers: boolean },
): string {
  const shown = columns.filter((column) => options.wide || column.wide !== true);
  const rows = items.map((item) => shown.map((column) => printable(column.value(item))));
  if (options.headers) rows.unshift(shown.map((column) => column.header));
  return alignRows(rows);
}

/** Rows of cells as lines; the last cell of a row is not padded. */
export function alignRows(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries())
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** Text that came from elsewhere, without what could move a terminal's cursor or break the line. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for.
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
