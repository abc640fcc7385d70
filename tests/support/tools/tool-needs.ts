// Which tools test files need, read from their text: `npm test -- PATTERN` prepares these alone.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundles } from './tool-builds.ts';
import type { BundleName } from './tool-builds.ts';

/** Stands for the images among the names of tools. */
export const imagesName = 'images';

export interface ToolNeeds {
  /** In the order in which they are built. */
  readonly bundles: readonly BundleName[];
  /** The images that a registry is filled with. */
  readonly images: boolean;
}

const testsFolder = fileURLToPath(new URL('../../', import.meta.url));

/** They name every tool, whoever imports them. */
const namesAll: ReadonlySet<string> = new Set(['tool-builds.ts', 'tools.ts', 'prepare.ts']);

/**
 * By the tools whose names stand in quotes in these files and in those under `tests/` that they import or start, rather too
 * many than too few: one that is missing here is built by the test that asks for it, within that test's time.
 */
export function toolNeeds(files: readonly string[]): ToolNeeds {
  const named = new Set<string>();
  const seen = new Set<string>();
  const waiting = [...files];
  let images = false;
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file) || !existsSync(file)) continue;
    seen.add(file);
    const name = file.slice(file.lastIndexOf('/') + 1);
    if (namesAll.has(name)) continue;
    images ||= name === 'images.ts';
    const text = readFileSync(file, 'utf8').replaceAll(/^import type [^;]*;/gm, '');
    for (const [, quoted = ''] of text.matchAll(/'([^'\n]{1,100})'/g)) {
      const other = join(dirname(file), quoted);
      if (!quoted.endsWith('.ts')) named.add(quoted);
      else if (other.startsWith(testsFolder)) waiting.push(other);
    }
  }
  const needed = (Object.keys(bundles) as BundleName[]).filter(
    (bundle) =>
      named.has(bundle) || Object.keys(bundles[bundle].programs).some((one) => named.has(one)),
  );
  // The bench's alone.
  return { bundles: needed.filter((one) => one !== 'zot'), images };
}
