import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createProcesses } from '../bench/processes.ts';
import type { SyntheticBlob, SyntheticImage } from '../bench/synthetic-image.ts';
import { startBreakwater } from '../bench/systems/breakwater.ts';
import type { BreakwaterOptions } from '../bench/systems/breakwater.ts';
import type { System } from '../bench/systems/system.ts';
import { createUpstream } from '../bench/upstream.ts';
import type { Upstream } from '../bench/upstream.ts';
import { createKillLedger } from './kill-ledger.ts';
import type { Acknowledged, KillLedger } from './kill-ledger.ts';
import { createLyingUpstream } from './lying-upstream.ts';
import type { LyingUpstream } from './lying-upstream.ts';
import { createSecretKeeper } from './secrets.ts';
import { createSeededRandom } from './seeded-random.ts';
import type { SeededRandom } from './seeded-random.ts';
import { createTrespasser } from './trespasser.ts';
import type { Secret, Trespasser } from './trespasser.ts';
import { createVerifiedClient } from './verified-fetch.ts';
import type { Fetched, VerifiedClient } from './verified-fetch.ts';

export interface KillLoopOptions {
  readonly iterations: number;
  /** Repeats images, clients' choices and moments; what the operating system does in between it cannot. */
  readonly seed: number;
  readonly log: (line: string) => void;
}

export interface KillLoopResult {
  readonly iterations: number;
  readonly seed: number;
  /** Answers compared byte for byte. */
  readonly verified: number;
  /** Answers that the kill broke: none means that the kills came at dull moments. */
  readonly interrupted: number;
  /** Complete answers with other bytes than upstream's. */
  readonly wrong: number;
  /** Acknowledged before a kill and not served after it. */
  readonly lost: number;
  /** Not to be had after a kill although upstream was there. */
  readonly stuck: number;
  /** Given to a client that was owed nothing of it. */
  readonly leaked: number;
  /** Requests of such a client. */
  readonly trespasses: number;
  /** The first of them, in words. */
  readonly problems: readonly string[];
}

const clients = 4;
const killWithinMs = 700;
const upstreamBytesPerSecond = 60_000_000;
/** A new store after so many, so that the disk a run takes is bounded. */
const iterationsPerStore = 50;
const problemsMax = 20;
const recoveryMs = 30_000;

const noTotals = { wrong: 0, lost: 0, stuck: 0, leaked: 0 };
const secretsPerStore = 5;

interface Loop {
  readonly random: SeededRandom;
  readonly upstream: Upstream;
  readonly ledger: KillLedger;
  readonly counts: { verified: number; interrupted: number; trespasses: number };
  readonly report: (kind: keyof typeof noTotals, line: string) => void;
  readonly liar: LyingUpstream;
  /** Pushed to the store in use. */
  readonly secrets: Secret[];
  /** Digests of the moving tag in their order, and how many of them Breakwater has shown twice. */
  readonly generations: SyntheticImage[];
  readonly seen: Set<string>;
  acknowledgedGeneration: number;
  published: number;
}

/**
 * Pulls with several clients, kills the server with SIGKILL at a random moment, starts it again with upstream gone, and demands
 * everything acknowledged back, byte for byte; then upstream returns and what was interrupted has to arrive. All the while a
 * client asks for what it is not owed, also by a rule whose upstream lies, and must get none of it.
 */
export async function runKillLoop(options: KillLoopOptions): Promise<KillLoopResult> {
  const processes = createProcesses();
  const temporary = mkdtempSync(join(tmpdir(), 'breakwater-kill-'));
  const cleanUp = (): void => {
    processes.killAllNow();
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once('exit', cleanUp);
  const totals = { ...noTotals };
  const problems: string[] = [];
  let iteration = 0;
  try {
    await using upstream = await createUpstream();
    upstream.limit(upstreamBytesPerSecond);
    await using liar = await createLyingUpstream(createSeededRandom(options.seed + 1));
    const loop: Loop = {
      random: createSeededRandom(options.seed),
      upstream,
      ledger: createKillLedger(),
      counts: { verified: 0, interrupted: 0, trespasses: 0 },
      liar,
      secrets: [],
      report(kind, line) {
        totals[kind] += 1;
        const problem = `iteration ${iteration}, seed ${options.seed}: ${kind}: ${line}`;
        if (problems.length < problemsMax) problems.push(problem);
        options.log(problem);
      },
      generations: [],
      seen: new Set(),
      acknowledgedGeneration: -1,
      published: 0,
    };
    for (let store = 0; iteration < options.iterations; store += 1) {
      const folder = join(temporary, `store-${store}`);
      mkdirSync(folder);
      const server = {
        processes,
        folder,
        upstreamUrl: upstream.url,
        ...configuration(upstream, liar),
      };
      const last = Math.min(options.iterations, iteration + iterationsPerStore);
      for (; iteration < last; iteration += 1) await killOnce(loop, server);
      await verifyAtTheEnd(loop, server);
      options.log(
        `${iteration} kills: ${loop.counts.verified} answers verified, ${loop.counts.interrupted} interrupted, wrong ${totals.wrong}, lost ${totals.lost}, stuck ${totals.stuck}, leaked ${totals.leaked} of ${loop.counts.trespasses}`,
      );
      loop.ledger.clear();
      loop.secrets.length = 0;
      loop.acknowledgedGeneration = -1;
      loop.seen.clear();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
    const { iterations, seed } = options;
    return { iterations, seed, ...loop.counts, ...totals, problems };
  } finally {
    process.off('exit', cleanUp);
    await processes.stopAll();
    cleanUp();
  }
}

/** Small pieces, so that small blobs already come in several; a tag that is always asked for again; a rule whose upstream lies. */
function configuration(
  upstream: Upstream,
  liar: LyingUpstream,
): Pick<BreakwaterOptions, 'more' | 'moreRules'> {
  return {
    more: ['defaultRules: false', 'cache: {parallelAbove: 4MiB, pieceSize: 1MiB}'],
    moreRules: [
      '  - prefix: moving',
      `    upstream: ${upstream.url}`,
      '    freshFor: 0s',
      '  - prefix: liar',
      `    upstream: ${liar.url}`,
      '    freshFor: 0s',
    ],
  };
}

async function killOnce(loop: Loop, server: BreakwaterOptions): Promise<void> {
  const { random, upstream, ledger } = loop;
  if (random.chance(0.1)) await killWhileStarting(loop, server);
  upstream.setDown(true);
  const system = await startBreakwater(server);
  using client = createVerifiedClient(system.port);
  await verifyAcknowledged(loop, system, client, withSample(loop, ledger.takeRecent()));
  const keeper = await createSecretKeeper(system.port, server.folder, loop.secrets, random);
  for (const line of await keeper.missing()) loop.report('lost', line);
  using trespasser = openTrespasser(loop, system);
  for (let n = 0; n < 10; n += 1) await trespasser.step();
  upstream.setDown(false);
  await recoverInterrupted(loop, system, client);
  publishNew(loop);
  let killed = false;
  const pulls = Array.from({ length: clients }, async (_, index) => {
    const choices = createSeededRandom(loop.published * clients + index);
    while (!killed) await pullSomething(loop, system, client, choices, () => killed);
  });
  const trespass = async (): Promise<void> => {
    while (!killed) await trespasser.step();
  };
  pulls.push(trespass(), trespass(), trespass(), trespass());
  if (loop.secrets.length < secretsPerStore) pulls.push(keeper.push());
  const moved = delay(random.below(killWithinMs)).then(() => publishMoving(loop));
  await delay(random.below(killWithinMs));
  process.kill(system.pid, 'SIGKILL');
  killed = true;
  await Promise.all([...pulls, moved, system.stop()]);
  loop.counts.trespasses += trespasser.asked;
}

/** The liar names what was pushed and what was acknowledged of the honest upstream. */
function openTrespasser(
  { ledger, liar, random, report, secrets }: Loop,
  { port }: System,
): Trespasser {
  const others = ledger
    .all()
    .blobs.slice(-20)
    .map(({ blob }) => ({ digest: blob.digest, size: blob.size, secret: false }));
  liar.targets.splice(0, Infinity, ...secrets, ...others);
  const own = createSeededRandom(random.below(2 ** 30));
  return createTrespasser({ port, liar: 'liar', secrets, others, random: own, report });
}

async function killWhileStarting(loop: Loop, server: BreakwaterOptions): Promise<void> {
  const starting = startBreakwater(server, (child) => {
    setTimeout(() => child.kill('SIGKILL'), loop.random.below(500)).unref();
  });
  // It fails where the kill came before the run file, as it should.
  const system = await starting.catch(() => undefined);
  if (system === undefined) return;
  await delay(500);
  await system.stop();
}

function publishNew(loop: Loop): void {
  const { random } = loop;
  loop.published += 1;
  const sizes = [random.below(300_000), random.below(4_000_000), 6_000_000 + random.below(18e6)];
  const image = loop.upstream.publish({
    repository: `soak/image${random.below(5)}`,
    tag: `v${loop.published}`,
    layers: sizes.map((size, index) => ({ seed: `${loop.published}.${index}`, size: size + 1 })),
  });
  loop.ledger.add(image);
}

function publishMoving(loop: Loop): void {
  const seed = `moving ${loop.generations.length}`;
  const request = { repository: 'soak/moving', tag: 'latest', layers: [{ seed, size: 10_000 }] };
  loop.generations.push(loop.upstream.publish(request));
}

async function pullSomething(
  loop: Loop,
  system: System,
  client: VerifiedClient,
  random: SeededRandom,
  killed: () => boolean,
): Promise<void> {
  if (random.chance(0.2)) await pullMoving(loop, system, client);
  const { images } = loop.ledger;
  const newest = images.at(-1);
  if (newest === undefined) return;
  const image = random.chance(0.7) ? newest : random.pick(images);
  const answer = await fetchManifest(loop, system, client, image);
  if (answer.result === 'refused' || killed()) {
    await delay(20);
    return;
  }
  for (const blob of [image.config, ...image.layers]) {
    if (killed()) return;
    const start = random.below(blob.size);
    const open = random.chance(0.5);
    const end = open ? blob.size : start + 1 + random.below(blob.size - start);
    await fetchBlob(
      loop,
      system,
      client,
      image,
      blob,
      random.chance(0.3) ? { start, end } : undefined,
    );
  }
}

async function fetchManifest(
  loop: Loop,
  system: System,
  client: VerifiedClient,
  image: SyntheticImage,
): Promise<Fetched> {
  const path = system.path(image.repository, `manifests/${image.tag}`);
  const answer = await client.fetchManifest(path, (digest) => digest === image.digest);
  count(loop, answer, path);
  if (answer.result === 'right' && answer.hit) loop.ledger.acknowledgeManifest(image);
  return answer;
}

async function fetchBlob(
  loop: Loop,
  system: System,
  client: VerifiedClient,
  image: SyntheticImage,
  blob: SyntheticBlob,
  range?: { readonly start: number; readonly end: number },
): Promise<Fetched> {
  const path = system.path(image.repository, `blobs/${blob.digest}`);
  const answer = await client.fetchBlob(path, blob, range);
  count(loop, answer, path);
  if (answer.result === 'right' && answer.hit) loop.ledger.acknowledgeBlob(image, blob);
  return answer;
}

function count(loop: Loop, answer: Fetched, path: string): void {
  if (answer.result === 'right') loop.counts.verified += 1;
  else if (answer.result === 'broken') loop.counts.interrupted += 1;
  else if (answer.result === 'wrong') loop.report('wrong', `${path}: ${answer.detail}`);
}

const movingPath = '/v2/moving/soak/moving/manifests/latest';

/** A generation shown a second time was in the store at the latest then: an older one must not come back. */
async function pullMoving(loop: Loop, _system: System, client: VerifiedClient): Promise<void> {
  if (loop.generations.length === 0) return;
  const answer = await client.fetchManifest(movingPath, (digest) =>
    loop.generations.some((generation) => generation.digest === digest),
  );
  count(loop, answer, movingPath);
  if (answer.result !== 'right' || answer.digest === undefined) return;
  const generation = loop.generations.findIndex(({ digest }) => digest === answer.digest);
  if (loop.seen.has(answer.digest))
    loop.acknowledgedGeneration = Math.max(loop.acknowledgedGeneration, generation);
  loop.seen.add(answer.digest);
}

function withSample(loop: Loop, recent: Acknowledged): Acknowledged {
  const { manifests, blobs } = loop.ledger.all();
  const sample = <Item>(items: readonly Item[]): Item[] =>
    items.length === 0 ? [] : Array.from({ length: 5 }, () => loop.random.pick(items));
  return {
    manifests: [...recent.manifests, ...sample(manifests)],
    blobs: [...recent.blobs, ...sample(blobs)],
  };
}

async function verifyAcknowledged(
  loop: Loop,
  system: System,
  client: VerifiedClient,
  { manifests, blobs }: Acknowledged,
): Promise<void> {
  for (const { image, blob } of blobs) {
    const answer = await fetchBlob(loop, system, client, image, blob);
    if (answer.result !== 'right') reportLost(loop, `blob ${blob.digest} of ${blob.size}`, answer);
  }
  if (loop.acknowledgedGeneration >= 0) await verifyMoving(loop, client);
  for (const image of manifests) {
    const answer = await fetchManifest(loop, system, client, image);
    if (answer.result !== 'right')
      reportLost(loop, `manifest ${image.repository}:${image.tag}`, answer);
  }
}

async function verifyMoving(loop: Loop, client: VerifiedClient): Promise<void> {
  const answer = await client.fetchManifest(movingPath, (digest) =>
    loop.generations
      .slice(loop.acknowledgedGeneration)
      .some((generation) => generation.digest === digest),
  );
  if (answer.result !== 'right')
    reportLost(loop, `generation ${loop.acknowledgedGeneration} of the moving tag`, answer);
}

function reportLost(loop: Loop, what: string, { status, detail, result }: Fetched): void {
  loop.report('lost', `${what}: ${result} ${status} ${detail}`);
}

/** Upstream is back: the newest image, which the kill interrupted, comes whole; a breaker may hold it for a while. */
async function recoverInterrupted(
  loop: Loop,
  system: System,
  client: VerifiedClient,
): Promise<void> {
  const image = loop.ledger.images.at(-1);
  if (image === undefined || loop.random.chance(0.5)) return;
  const giveUpAt = performance.now() + recoveryMs;
  const insist = async (what: string, fetch: () => Promise<Fetched>): Promise<void> => {
    for (;;) {
      const answer = await fetch();
      if (answer.result === 'right') return;
      if (performance.now() > giveUpAt) {
        loop.report('stuck', `${what}: ${answer.result} ${answer.status} ${answer.detail}`);
        return;
      }
      await delay(50);
    }
  };
  await insist(`manifest ${image.tag}`, () => fetchManifest(loop, system, client, image));
  for (const blob of [image.config, ...image.layers])
    await insist(`blob ${blob.digest}`, () => fetchBlob(loop, system, client, image, blob));
}

async function verifyAtTheEnd(loop: Loop, server: BreakwaterOptions): Promise<void> {
  loop.upstream.setDown(true);
  const system = await startBreakwater(server);
  using client = createVerifiedClient(system.port);
  await verifyAcknowledged(loop, system, client, loop.ledger.all());
  await system.stop();
}
