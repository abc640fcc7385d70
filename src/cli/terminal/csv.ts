export interface CsvColumn<Item> {
  readonly header: string;
  readonly value: (item: Item) => string | number | undefined;
}

/**
 * Rows as CSV (RFC 4180, with a header line). A text that a spreadsheet would take for a formula begins with an apostrophe
 * (owasp.org/www-community/attacks/CSV_Injection).
 */
export function renderCsv<Item>(
  items: Iterable<Item>,
  columns: readonly CsvColumn<Item>[],
  headers: boolean,
): string {
  const lines = headers ? [columns.map(({ header }) => header).join(',')] : [];
  for (const item of items) lines.push(columns.map(({ value }) => cell(value(item))).join(','));
  return lines.map((line) => `${line}\r\n`).join('');
}

function cell(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for.
  const shown = value.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, ' ');
  const safe = /^[=+\-@\t\r\n]/.test(shown) ? `'${shown}` : shown;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
