// Builds the bundles that its arguments name, and the images, where the machine lacks them, quietly and at low priority, while other
// tests run: `npm test` starts it.
import { setPriority } from 'node:os';
import { loadCorpus } from '../samples/images.ts';
import { bundles } from './tool-builds.ts';
import type { BundleName } from './tool-builds.ts';
import { imagesName } from './tool-needs.ts';
import { findBundle } from './tools.ts';

setPriority(10);
// Ends what builds as well.
process.once('SIGTERM', () => process.exit(143));
const wanted = new Set(process.argv.slice(2));
for (const name of Object.keys(bundles) as BundleName[]) {
  if (wanted.has(name)) {
    const tool = await findBundle(name);
    if ('missing' in tool) console.error(tool.missing);
  }
  // They need the registry alone, which is the first.
  if (name === 'registry' && wanted.has(imagesName)) {
    const corpus = await loadCorpus().catch((error: unknown) => ({ missing: String(error) }));
    if ('missing' in corpus) console.error(corpus.missing);
  }
}
