import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findTool } from '../support/tools/tools.ts';
import { makeCertificate } from './certificate.ts';
import type { Bench, Figure, Peers, Row } from './figure.ts';
import { authorisedManifest } from './figures/authorised-manifest.ts';
import { fanIn, firstByte, limitedPull } from './figures/cold-pull.ts';
import { detectCluster } from './figures/detect-cluster.ts';
import { idleMemory } from './figures/idle-memory.ts';
import { killed } from './figures/killed.ts';
import { crowdMemory } from './figures/crowd-memory.ts';
import { largeRepository } from './figures/large-repository.ts';
import { manifestLatency } from './figures/manifest-latency.ts';
import { coldMemory, warmMemory } from './figures/memory.ts';
import { millionManifests } from './figures/million-manifests.ts';
import { pushBlob } from './figures/push-blob.ts';
import { pushImages } from './figures/push-images.ts';
import { references } from './figures/references.ts';
import { rewriteFiles } from './figures/rewrite-files.ts';
import { signedCalls } from './figures/signed-calls.ts';
import { tagList } from './figures/tag-list.ts';
import { upstreamRequests } from './figures/upstream-requests.ts';
import { warmBlob } from './figures/warm-blob.ts';
import { warmManifest } from './figures/warm-manifest.ts';
import { wholeImage } from './figures/whole-image.ts';
import { blobClient, requestClient } from './load-job.ts';
import { createProcesses } from './processes.ts';
import type { Processes } from './processes.ts';
import { fileNameOf, formatMarkdown, formatText } from './report.ts';
import type { Host, Report } from './report.ts';
import { startBreakwater } from './systems/breakwater.ts';
import { startUpstream } from './upstream-client.ts';

const figures: readonly Figure[] = [
  warmManifest,
  warmBlob,
  fanIn,
  firstByte,
  limitedPull,
  wholeImage,
  upstreamRequests,
  coldMemory,
  idleMemory,
  millionManifests,
  warmMemory,
  crowdMemory,
  pushBlob,
  pushImages,
  authorisedManifest,
  tagList,
  signedCalls,
  manifestLatency,
  largeRepository,
  killed,
  references,
  rewriteFiles,
  detectCluster,
];

const usage = `npm run bench -- [--only NAME]… [--quick] [--json FILE] [--write] [--profile FOLDER]

Measures Breakwater beside distribution, docker-registry and nginx on this machine. Never fails on a figure.
  --only NAME   one figure, may be given several times: ${figures.map(({ name }) => name).join(', ')}
  --profile FOLDER   Breakwater runs with --cpu-prof and leaves a profile of each thread there
  --quick       one short run of each: does it work at all
  --json FILE   also writes figures and host as JSON
  --write       also adds a dated section to docs/benchmarks.md, and the samples to docs/benchmarks/
`;

const root = fileURLToPath(new URL('../..', import.meta.url));
const say = (line: string): void => void process.stderr.write(`bench: ${line}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      profile: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const unknown = values.only.filter((name) => !figures.some((figure) => figure.name === name));
  if (unknown.length > 0) throw new Error(`no figure ${unknown.join(', ')}\n${usage}`);
  const chosen = figures.filter(
    ({ name }) => values.only.length === 0 || values.only.includes(name),
  );
  const report = await measureAll(chosen, values.quick, values.profile);
  process.stdout.write(formatText(report));
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (values.write) addSection(report);
  if (report.rows.length === 0) process.exitCode = 1;
}

async function measureAll(
  chosen: readonly Figure[],
  quick: boolean,
  profile: string | undefined,
): Promise<Report> {
  const processes = createProcesses();
  const temporary = mkdtempSync(join(tmpdir(), 'breakwater-bench-'));
  const cleanUp = (): void => {
    processes.killAllNow();
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once('exit', cleanUp);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(130));
  if (!processes.pinned) say('no taskset or no second core: server and load share what there is');
  const peers = await findPeers();
  const host = describeHost(peers, processes, quick);
  const rows: Row[] = [];
  const failed: Record<string, string> = {};
  for (const figure of chosen) {
    const folder = join(temporary, figure.name);
    const begun = performance.now();
    try {
      rows.push(
        ...(await figure.measure(await prepare(processes, peers, folder, { quick, profile }))),
      );
      say(`${figure.name}: ${((performance.now() - begun) / 1000).toFixed(0)} s`);
    } catch (error) {
      failed[figure.name] = error instanceof Error ? error.message : String(error);
      say(`${figure.name}: could not be measured: ${failed[figure.name]}`);
    }
    await processes.stopAll();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  return { host, rows, failed };
}

/** An upstream and a folder for one figure, so that none leaves anything to the next. */
async function prepare(
  processes: Processes,
  peers: Peers,
  base: string,
  { quick, profile }: { readonly quick: boolean; readonly profile: string | undefined },
): Promise<Bench> {
  mkdirSync(base, { recursive: true });
  const upstream = await startUpstream(processes);
  const folder = (name: string): string => {
    const path = join(base, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  return {
    processes,
    peers,
    upstream,
    certificate: makeCertificate(base),
    quick,
    runs: quick ? 1 : 5,
    latencyRuns: quick ? 3 : 20,
    startBreakwater: (name, options) =>
      startBreakwater({
        ...options,
        processes,
        folder: folder(name),
        upstreamUrl: upstream.url,
        nodeArguments:
          profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', resolve(profile)],
      }),
    folder,
    say,
  };
}

async function findPeers(): Promise<Peers> {
  const find = async (name: 'registry' | 'docker-registry' | 'nginx' | 'zot') => {
    const tool = await findTool(name);
    if ('path' in tool) return tool.path;
    say(`SKIPPED ${name}: ${tool.missing}`);
    return undefined;
  };
  return {
    distribution: await find('registry'),
    dockerRegistry: await find('docker-registry'),
    nginx: await find('nginx'),
    zot: () => find('zot'),
  };
}

function describeHost(peers: Peers, processes: Processes, quick: boolean): Host {
  const version = (path: string | undefined, flag: string): string | undefined => {
    if (path === undefined) return undefined;
    const { stdout, stderr } = spawnSync(path, [flag], { encoding: 'utf8' });
    return /v?\d+\.\d+\.[\w.+~-]+/.exec(`${stdout}${stderr}`.replace(/\+unknown/, ''))?.[0];
  };
  const git = (...argv: string[]): string =>
    spawnSync('git', argv, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
  const versions = {
    distribution: version(peers.distribution, '--version'),
    'docker-registry': version(peers.dockerRegistry, '--version'),
    nginx: version(peers.nginx, '-v'),
  };
  return {
    date: new Date().toISOString(),
    node: process.versions.node,
    cpus: cpus().length,
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    kernel: release(),
    commit: `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', 'src') === '' ? '' : '+'}`,
    peers: JSON.parse(JSON.stringify(versions)) as Record<string, string>,
    clients: `${requestClient} for manifests, ${blobClient} for warm blobs, node for cold ones and pushes`,
    pinned: processes.pinned,
    quick,
    loadAverage: loadavg()[0] ?? Number.NaN,
  };
}

/** The newest section first, below the page's introduction. */
function addSection(report: Report): void {
  const path = join(root, 'docs', 'benchmarks.md');
  const page = readFileSync(path, 'utf8');
  const at = page.search(/^## \d{4}-/m);
  const [before, after] =
    at < 0 ? [`${page.trimEnd()}\n\n`, ''] : [page.slice(0, at), page.slice(at)];
  writeFileSync(path, `${before}${formatMarkdown(report)}${after && `\n${after}`}`);
  const samples = join(root, 'docs', 'benchmarks', fileNameOf(report));
  writeFileSync(samples, `${JSON.stringify(report, undefined, 1)}\n`);
  say(`wrote ${path} and ${samples}`);
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
// Keep-alive connections of `fetch` would hold the process for a while yet.
process.exit();
