// Stores and pushes manifests until it is killed, and tells the id of each that was acknowledged with all before it.
import { openSqliteMetadata } from '../../../src/metadata/engine/sqlite.ts';
import { manifestInput, push, pushInput } from './samples.ts';

const [file = '', from = '0'] = process.argv.slice(2);
const metadata = await openSqliteMetadata(file);
const parallel = 8;
for (let id = Number(from); ; id += parallel) {
  const writes = Array.from({ length: parallel }, (_, index) => id + index + 1).map(async (one) => {
    await metadata.manifests.storeManifest(
      manifestInput('quay.io/killed', `image${one}`, { tag: `t${one}` }),
    );
    const pushed = await push(
      metadata,
      pushInput('team/killed', `image${one}`, { tags: [`t${one}`, 'latest'] }),
    );
    if (pushed.kind !== 'stored') throw new Error(`push ${one}: ${JSON.stringify(pushed)}`);
    return one;
  });
  for (const write of writes) process.send?.(await write);
}
