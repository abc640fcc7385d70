import { alternate, ratioOf, reading } from '../figure.ts';
import type { Bench, Contender, Figure, Goal, Reading, Row } from '../figure.ts';
import type { SyntheticImage } from '../synthetic-image.ts';
import type { System } from '../systems/system.ts';
import { startZot } from '../systems/zot.ts';
import { directSystem, imagePaths, mebibyte, pull, requireComplete, settle } from './cold-blob.ts';

const roundTripMs = 30;
const bytesPerSecond = 20_000_000;
/** Breakwater's `cache.pieceSize`. */
const pieceBytes = 8 * mebibyte;
/** Manifest, config, and two to spare: a token, a redirect. */
const otherRequests = 4;

interface Shape {
  readonly title: string;
  readonly mebibytes: readonly number[];
  /** Of the time over direct, layer after layer and six at once; absent where none is set. */
  readonly goals?: { readonly inTurn: Goal; readonly atOnce: Goal };
}

const shapes: readonly Shape[] = [
  {
    title: 'an image of ten layers, 290 MiB',
    mebibytes: [120, 60, 40, 30, 20, 10, 5, 3, 1, 1],
    goals: { inTurn: { atMost: 0.25 }, atOnce: { atMost: 0.45 } },
  },
  {
    title: 'an image of ten layers below 64 MiB, 220 MiB',
    mebibytes: [60, 50, 40, 30, 20, 10, 5, 3, 1, 1],
  },
];

/** Whole images that nobody has, from an upstream that is far away and gives each connection so much and no more. */
export const wholeImage: Figure = {
  name: 'whole-image',
  async measure(bench) {
    const ours = await bench.startBreakwater('whole-image');
    const peers = await startPeers(bench);
    await bench.upstream.away(roundTripMs);
    await bench.upstream.limit(bytesPerSecond);
    try {
      const rows: Row[] = [];
      for (const shape of shapes) rows.push(...(await measureShape(bench, shape, ours, peers)));
      return rows;
    } finally {
      for (const system of [ours, ...peers]) await system.stop();
    }
  },
};

async function startPeers(bench: Bench): Promise<readonly System[]> {
  const binary = await bench.peers.zot();
  if (binary === undefined) return [];
  const { processes, upstream } = bench;
  const folder = bench.folder('whole-image-zot');
  return [await startZot({ binary, processes, folder, remoteUrl: upstream.url })];
}

async function measureShape(
  bench: Bench,
  shape: Shape,
  ours: System,
  peers: readonly System[],
): Promise<readonly Row[]> {
  const requests: number[] = [];
  const measure = async (system: System, atOnce: number): Promise<number> => {
    const image = await publish(bench, shape);
    await settle(system);
    await bench.upstream.reset();
    const seconds = await pullImage(bench, system, image, atOnce);
    if (system === ours && atOnce === 1) {
      await settle(system);
      requests.push((await bench.upstream.stats()).requests);
    }
    return seconds;
  };
  const compare = async (atOnce: number): Promise<readonly Reading[]> => {
    const contender = (system: System): Contender => ({
      name: system.name,
      measure: () => measure(system, atOnce),
    });
    return [
      ...(await alternate(bench.runs, [directSystem(bench), ours].map(contender))),
      // Once: what they fetch is fetched the same way every time.
      ...(await alternate(1, peers.map(contender))),
    ];
  };
  const inTurn = await compare(1);
  const atOnce = await compare(6);
  const row = (how: string, readings: readonly Reading[], goal: Goal | undefined): Row => ({
    title: `Cold: ${shape.title}${bench.quick ? ', a tenth of it' : ''}, ${how}`,
    unit: 's',
    readings,
    ratios: goal === undefined ? [] : ratioOf(readings, ours.name, 'direct', goal),
    notes: [
      `layers of ${shape.mebibytes.join(', ')} MiB; each connection 20 MB/s, each answer ${roundTripMs} ms late, a connection's first twice that`,
    ],
  });
  return [
    row('layer after layer', inTurn, shape.goals?.inTurn),
    row('six at once', atOnce, shape.goals?.atOnce),
    requestsRow(shape, ours, requests),
  ];
}

function requestsRow(shape: Shape, ours: System, requests: readonly number[]): Row {
  const layers = shape.mebibytes.length;
  let pieces = 0;
  for (const size of shape.mebibytes) pieces += Math.ceil((size * mebibyte) / pieceBytes) - 1;
  return {
    title: `Upstream requests for ${shape.title}, layer after layer`,
    unit: 'requests',
    readings: [reading(ours.name, requests)],
    ratios: [
      {
        what: `${ours.name}, the most`,
        value: Math.max(...requests),
        goal: { atMost: layers + pieces + otherRequests },
      },
    ],
    notes: [
      `all that upstream was asked, tokens, checks and redirects too; the goal is ${layers} layers + ${pieces} further pieces of 8 MiB + ${otherRequests}`,
    ],
  };
}

let published = 0;

async function publish(bench: Bench, shape: Shape): Promise<SyntheticImage> {
  published += 1;
  const share = bench.quick ? 0.1 : 1;
  return bench.upstream.publish({
    repository: 'bench/whole',
    tag: `v${published}`,
    layers: shape.mebibytes.map((size, index) => ({
      seed: `whole ${published} ${index}`,
      size: Math.round(size * mebibyte * share),
    })),
  });
}

/** Seconds from the manifest's request to the last byte of the last layer. */
async function pullImage(
  bench: Bench,
  system: System,
  image: SyntheticImage,
  atOnce: number,
): Promise<number> {
  const result = await pull(bench, system, imagePaths(system, image), {
    connections: 1,
    timeoutMs: 180_000,
    ...(atOnce > 1 ? { atOnce } : {}),
  });
  requireComplete(result, system, 1);
  return result.seconds;
}
