// Makes a client meet every cause, and compares what it prints with the page.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { causes } from './causes.ts';
import type { Provoke } from './clients.ts';
import { renderPage } from './page.ts';
import { printedOf, readPrinted, writePrinted } from './printed.ts';
import type { ClientName } from './printed.ts';
import type { RefusalStage } from './stage.ts';

/** Where `UPDATE_GOLDEN=1` asks for it, what is printed now is written instead. */
export const renews: boolean = process.env['UPDATE_GOLDEN'] === '1';
export const pageFile: URL = new URL('../../../docs/troubleshooting.md', import.meta.url);

export async function comparePrinted(
  t: TestContext,
  stage: RefusalStage,
  client: ClientName,
  provoke: Provoke,
): Promise<void> {
  const before = readPrinted(client);
  const now: Record<string, string> = {};
  for (const cause of causes) {
    const result = await provoke(cause);
    const text = result && printedOf(client, result, (printed) => stage.normalize(printed));
    if (text !== undefined) now[cause.id] = text;
    if (renews) continue;
    await t.test(`${client}: ${cause.title}.`, () => {
      assert.equal(text, before[cause.id], 'UPDATE_GOLDEN=1 npm test -- refusals writes it anew');
    });
  }
  if (!renews) return;
  writePrinted(client, now);
  writeFileSync(pageFile, renderPage());
}
