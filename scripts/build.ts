// Emits dist/: JavaScript of src/ without its tests, and `dist/breakwater.mjs` to run it by.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const bin = `#!/usr/bin/env node
import './main.js';
`;

/** Builds into a folder beside `outDir` and puts it in place whole; throws with the compiler's words. */
export function build(outDir: string): void {
  mkdirSync(dirname(outDir), { recursive: true });
  const temporary = mkdtempSync(`${outDir}.building-`);
  try {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const args = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', temporary];
    const run = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`tsc failed:\n${run.stdout}${run.stderr}`);
    writeFileSync(join(temporary, 'package.json'), '{ "type": "module" }\n');
    writeFileSync(join(temporary, 'breakwater.mjs'), bin);
    chmodSync(join(temporary, 'breakwater.mjs'), 0o755);
    chmodSync(temporary, 0o755);
    rmSync(outDir, { recursive: true, force: true });
    renameSync(temporary, outDir);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const outDir = resolve(process.argv[2] ?? join(root, 'dist'));
  try {
    build(outDir);
    console.log(`built ${outDir}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
