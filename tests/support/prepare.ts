// Builds what the tests lack, quietly and at low priority, while other tests run: `npm test` starts it.
import { setPriority } from 'node:os';
import { loadCorpus } from './images.ts';
import { bundles, type BundleName } from './tool-builds.ts';
import { findBundle } from './tools.ts';

setPriority(10);
// Ends what builds as well.
process.once('SIGTERM', () => process.exit(143));
for (const name of Object.keys(bundles) as BundleName[]) {
  // Of the bench alone, which builds it itself.
  if (name === 'zot') continue;
  const tool = await findBundle(name);
  if ('missing' in tool) console.error(tool.missing);
  if (name === 'registry') {
    const corpus = await loadCorpus().catch((error: unknown) => ({ missing: String(error) }));
    if ('missing' in corpus) console.error(corpus.missing);
  }
}
