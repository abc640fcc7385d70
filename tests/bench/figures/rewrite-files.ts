import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestFiles } from '../../support/samples/manifest-files.ts';
import type { ManifestFile } from '../../support/samples/manifest-files.ts';
import { reading } from '../figure.ts';
import type { Bench, Figure, Row } from '../figure.ts';

const files = 2000;
const host = 'registry.example.com';
const main = new URL('../../../src/main.ts', import.meta.url).pathname;

/** A folder of manifests, each changed in place by one run of the command, the start of the program included. */
export const rewriteFiles: Figure = {
  name: 'rewrite-files',
  async measure(bench) {
    const written = manifestFiles(files, host);
    const samples: number[] = [];
    let changedBytes = 0;
    for (let run = 0; run < bench.runs; run += 1) {
      const folder = join(bench.folder(`rewrite-${run}`), 'k8s');
      mkdirSync(folder);
      for (const { name, before } of written) writeFileSync(join(folder, name), before);
      samples.push(await rewriteOnce(bench, folder));
      for (const file of written) changedBytes = Math.max(changedBytes, strangeBytes(folder, file));
    }
    const seconds = reading('breakwater', samples);
    const kib = written.reduce((sum, { before }) => sum + Buffer.byteLength(before), 0) / 1024;
    const references = written.reduce((sum, file) => sum + file.references, 0);
    const rows: readonly Row[] = [
      {
        title: `Rewriting ${files.toLocaleString('en-US')} manifests in place`,
        unit: 's',
        readings: [seconds],
        ratios: [{ what: 'breakwater', value: seconds.median, goal: { atMost: 3 } }],
        notes: [
          `${Math.round(kib).toLocaleString('en-US')} KiB, ${references.toLocaleString('en-US')} references; one process, its start included; each file read again and compared, synced and renamed`,
        ],
      },
      {
        title: 'Bytes changed beside references, of the worst file',
        unit: 'bytes',
        readings: [reading('breakwater', [changedBytes])],
        ratios: [{ what: 'breakwater', value: changedBytes, goal: { atMost: 0 } }],
        notes: ['comments, quotes, flow maps, anchors, CRLF, byte order marks, missing line ends'],
      },
    ];
    return rows;
  },
};

async function rewriteOnce(bench: Bench, folder: string): Promise<number> {
  const begun = performance.now();
  const child = bench.processes.spawn({
    name: 'rewrite',
    role: 'server',
    command: process.execPath,
    arguments: [main, 'rewrite', folder, '--in-place', '-o', 'name', '--registry-host', host],
    capture: true,
  });
  await child.output(120_000);
  return (performance.now() - begun) / 1000;
}

/** Bytes that are not what they would be if references alone had changed. */
function strangeBytes(folder: string, { name, after }: ManifestFile): number {
  const now = readFileSync(join(folder, name));
  const wanted = Buffer.from(after);
  const shared = Math.min(now.length, wanted.length);
  let strange = Math.max(now.length, wanted.length) - shared;
  for (let at = 0; at < shared; at += 1) if (now[at] !== wanted[at]) strange += 1;
  return strange;
}
