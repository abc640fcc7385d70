// The server, killed at the very moment at which an upload's file has become a blob's: no line of code comes after the rename.
// Only while the file that KILLED_AT_BLOB names is there.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { sep } from 'node:path';

const mark = process.env['KILLED_AT_BLOB'] ?? '';
const rename = fs.rename;

function renameAndDie(from: fs.PathLike, to: fs.PathLike, done: fs.NoParamCallback): void {
  rename(from, to, (error) => {
    const isBlob = String(to).split(sep).includes('blobs');
    if (error === null && isBlob && fs.existsSync(mark)) process.kill(process.pid, 'SIGKILL');
    done(error);
  });
}

fs.rename = Object.assign(renameAndDie, { __promisify__: rename.__promisify__ });
syncBuiltinESMExports();
await import('../../../src/main.ts');
