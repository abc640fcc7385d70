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
  const safe = /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
