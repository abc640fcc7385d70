// Registries as they are: what a client manages direct, it manages through Breakwater. The rows are in upstream-shapes/.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import type { Breakwater } from '../support/processes/breakwater.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { findClients } from './upstream-shapes/clients.ts';
import type { Clients, Place } from './upstream-shapes/clients.ts';
import { challengeShapes } from './upstream-shapes/challenge-shapes.ts';
import { listShapes } from './upstream-shapes/list-shapes.ts';
import { manifestShapes } from './upstream-shapes/manifest-shapes.ts';
import { referrerShapes } from './upstream-shapes/referrer-shapes.ts';
import type { ClientName, Step, UpstreamShape } from './upstream-shapes/shape.ts';
import { openScriptedRegistry } from '../support/upstreams/scripted-registry.ts';
import type { ScriptedRegistry } from '../support/upstreams/scripted-registry.ts';
import { transportShapes } from './upstream-shapes/transport-shapes.ts';

const shapes: readonly UpstreamShape[] = [
  ...manifestShapes,
  ...listShapes,
  ...referrerShapes,
  ...challengeShapes,
  ...transportShapes,
];

const repository = 'team/app';

/** One row with one client, through Breakwater; each has a registry and a rule of its own. */
interface Run {
  readonly client: ClientName;
  readonly prefix: string;
  readonly registry: ScriptedRegistry;
  readonly steps: readonly Step[];
}

const runs = new Map<UpstreamShape, readonly Run[]>();
const missing = new Map<string, number>();
let folder: string;
let clients: Clients;
let breakwater: Breakwater;

async function prepare(shape: UpstreamShape, row: number): Promise<readonly Run[]> {
  const names = Object.entries(shape.clients).filter(([, makes]) => makes === 'right');
  return await Promise.all(
    names.map(async ([name]) => {
      const registry = await openScriptedRegistry();
      const client = name as ClientName;
      return { client, prefix: `${client}-${row}`, registry, steps: shape.play(registry) };
    }),
  );
}

before(async () => {
  folder = await makeRunFolder('shapes');
  clients = await findClients(join(folder, 'clients'));
  for (const [row, shape] of shapes.entries()) runs.set(shape, await prepare(shape, row));
  const rules = [...runs].flatMap(([{ rule = {} }, each]) =>
    each.map(({ prefix, registry }) => ({ prefix, upstream: registry.url, ...rule })),
  );
  breakwater = await startBreakwater({ config: { ...rulesOnly(...rules), anonymousImport: true } });
});

after(async () => {
  await breakwater?.close();
  for (const { registry } of [...runs.values()].flat()) await registry[Symbol.asyncDispose]();
  await clients?.[Symbol.asyncDispose]();
  await removeRunFolder(folder);
});

for (const [row, shape] of shapes.entries()) {
  test(`${shape.name}: direct and through Breakwater the same`, async (t) => {
    const direct = Object.keys(shape.clients).map((name) =>
      playDirect(t, shape, name as ClientName, row),
    );
    const answers = new Map(await Promise.all(direct));
    await Promise.all(
      (runs.get(shape) ?? []).map((run) => playThrough(t, run, answers.get(run.client))),
    );
  });
}

test('Every client of the rows is here', (t) => {
  const told = [...missing].map(([why, count]) => `${why}: ${count} runs not made`);
  if (told.length > 0) t.skip(told.join('; '));
});

/** The answers of the steps; `undefined` where the client is missing, or is said to fail. */
async function playDirect(
  t: TestContext,
  shape: UpstreamShape,
  name: ClientName,
  row: number,
): Promise<readonly [ClientName, readonly string[] | undefined]> {
  const client = clients[name];
  if ('missing' in client) {
    missing.set(client.missing, (missing.get(client.missing) ?? 0) + 1);
    return [name, undefined];
  }
  await using registry = await openScriptedRegistry();
  const steps = shape.play(registry);
  const place = await placeOf(registry.host, repository, `${name}-${row}-direct`);
  try {
    const answers = await play(steps, name, place);
    if (shape.clients[name] === 'right') return [name, answers];
    assert.fail(`${name} manages it direct (${answers.join(', ')}): the row says that it fails`);
  } catch (error) {
    if (shape.clients[name] === 'fails' && !(error instanceof assert.AssertionError))
      return [name, undefined];
    t.diagnostic(asked(registry));
    throw new Error(`${name}, direct`, { cause: error });
  }
}

async function playThrough(
  t: TestContext,
  { client, prefix, registry, steps }: Run,
  direct: readonly string[] | undefined,
): Promise<void> {
  if (direct === undefined) return;
  const place = await placeOf(breakwater.host, `${prefix}/${repository}`, prefix);
  try {
    assert.deepEqual(await play(steps, client, place), direct);
  } catch (error) {
    t.diagnostic(asked(registry));
    throw new Error(`${client}, through Breakwater`, { cause: error });
  }
}

async function play(
  steps: readonly Step[],
  name: ClientName,
  place: Place,
): Promise<readonly string[]> {
  const client = clients[name];
  if ('missing' in client) throw new Error(client.missing);
  const answers: string[] = [];
  for (const step of steps) {
    if (typeof step === 'function') step();
    else answers.push(await client(step, place));
  }
  return answers;
}

async function placeOf(host: string, name: string, run: string): Promise<Place> {
  const own = join(folder, run);
  await mkdir(own, { recursive: true });
  return { host, repository: name, folder: own };
}

function asked(registry: ScriptedRegistry): string {
  return registry.seen.map(({ method, path }) => `${method} ${path}`).join('\n');
}
