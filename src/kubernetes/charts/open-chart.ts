import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isObject } from '../../domain/json.ts';
import { textOf } from '../places/field-pattern.ts';
import { parseYaml } from '../text/yaml-tree.ts';
import type { HelmCommand } from './run-helm.ts';
import { runHelm } from './run-helm.ts';
import { ChartFailure } from './chart-failure.ts';

/** What the user would give `helm template`. */
export interface ChartRequest {
  /** A folder, a package, or what helm pulls: `oci://…`, `repo/chart`. */
  readonly chart: string;
  readonly helm: string;
  readonly release: string;
  /** Of the user's own values, in their order: `['-f', 'values.yaml', '--set', 'a=b']`. */
  readonly valueArgs: readonly string[];
  /** `--namespace`, `--kube-version`, `--api-versions` and their like. */
  readonly renderArgs: readonly string[];
  /** `--version`, `--repo`: which chart is pulled. */
  readonly pullArgs: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Milliseconds, of each run of helm. */
  readonly deadlineMs: number;
}

/** A chart on disk that can be rendered again and again. */
export interface OpenChart extends AsyncDisposable {
  /** The manifests, hooks included. `values` are laid over the user's own values, as a last `-f`; `args` stand behind all others. */
  render(over: ValuesOver, signal: AbortSignal): Promise<string>;
  /** What templates see as `.Values` with the user's own values: the chart's with those of its subcharts in it. */
  values(over: ValuesOver, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
}

export interface ValuesOver {
  readonly values?: object;
  readonly args?: readonly string[];
}

const renderedBytesMax = 64 * 1024 * 1024;
const probeName = 'breakwater-values-probe';
/** Helm runs the deepest templates first: others may change the values that they see. */
const probeFolders = Array.from({ length: 16 }, () => 'zz');

/** Pulls or unpacks the chart where it is no folder. What is written is in a folder for temporary files, and goes away with the chart. */
export async function openChart(request: ChartRequest, signal: AbortSignal): Promise<OpenChart> {
  const scratch = await mkdtemp(join(tmpdir(), 'breakwater-chart-'));
  const remove = (): Promise<void> => rm(scratch, { recursive: true, force: true });
  try {
    const folder = await folderOf(request, scratch, signal);
    const renderFolder = async (
      chart: string,
      over: ValuesOver,
      during: AbortSignal,
    ): Promise<string> => {
      const { release, valueArgs, renderArgs } = request;
      const { values, args = [] } = over;
      const file = join(scratch, 'over.json');
      if (values !== undefined) await writeFile(file, JSON.stringify(values));
      const own = [...renderArgs, ...valueArgs, ...(values === undefined ? [] : ['-f', file])];
      return runHelm(helm(request, ['template', release, chart, ...own, ...args]), during);
    };
    let probe: Promise<string> | undefined;
    return {
      render: (over, during) => renderFolder(folder, over, during),
      async values(over, during) {
        probe ??= makeProbe(folder, scratch);
        const seen = readProbe(await renderFolder(await probe, over, during));
        return (await declaredValues(folder)).reduce((all, each) => withEmptyKeys(all, each), seen);
      },
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

function helm({ helm: command, env, cwd, deadlineMs }: ChartRequest, args: string[]): HelmCommand {
  return { command, args, env, cwd, deadlineMs, outputBytesMax: renderedBytesMax };
}

async function folderOf(
  request: ChartRequest,
  scratch: string,
  signal: AbortSignal,
): Promise<string> {
  const { chart, cwd, pullArgs } = request;
  const path = resolve(cwd, chart);
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() === true) return path;
  const into = join(scratch, 'chart');
  await mkdir(into);
  if (status === undefined)
    await runHelm(
      helm(request, ['pull', chart, ...pullArgs, '--untar', '--untardir', into]),
      signal,
    );
  else {
    const args = ['-xzf', path, '--no-same-owner', '-C', into];
    await runHelm({ ...helm(request, args), command: 'tar' }, signal);
  }
  const found = (await readdir(into, { withFileTypes: true })).find((entry) => entry.isDirectory());
  if (found !== undefined) return join(into, found.name);
  throw new ChartFailure(`${chart} is no chart`, {
    kind: 'chart',
    hint: 'name a folder with a Chart.yaml, or a package of one',
  });
}

/** The same chart with one template more, which prints the values that all templates see. */
async function makeProbe(folder: string, scratch: string): Promise<string> {
  const probe = join(scratch, 'probe');
  const templates = join(probe, 'templates');
  await mkdir(templates, { recursive: true });
  const link = async (from: string, to: string, but?: string): Promise<void> => {
    const names = await readdir(from).catch(() => []);
    for (const name of names) if (name !== but) await symlink(join(from, name), join(to, name));
  };
  await link(folder, probe, 'templates');
  await link(join(folder, 'templates'), templates);
  const deepest = join(templates, ...probeFolders);
  await mkdir(deepest, { recursive: true });
  await writeFile(
    join(deepest, `${probeName}.yaml`),
    `kind: ConfigMap\napiVersion: v1\nmetadata: {name: ${probeName}}\ndata: {values: {{ .Values | toJson | b64enc | quote }}}\n`,
  );
  return probe;
}

function readProbe(rendered: string): Readonly<Record<string, unknown>> {
  const [, encoded = ''] =
    new RegExp(
      `^metadata: \\{name: ${probeName}\\}\\ndata: \\{values: "([\\w+/=]*)"\\}$`,
      'm',
    ).exec(rendered) ?? [];
  const values: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8') || 'null');
  return isObject(values) ? values : {};
}

type Values = Readonly<Record<string, unknown>>;

const valuesBytesMax = 4 * 1024 * 1024;

/** What the chart's own file of values and those of subcharts in folders say, every scalar a text; what can't be read says nothing. */
async function declaredValues(folder: string): Promise<readonly Values[]> {
  const read = async (path: string): Promise<Values> => {
    try {
      const file = join(path, 'values.yaml');
      if ((await stat(file)).size > valuesBytesMax) return {};
      const values = parseYaml(await readFile(file, 'utf8')).trees[0]?.value;
      return isObject(values) ? values : {};
    } catch {
      return {};
    }
  };
  const charts = await readdir(join(folder, 'charts'), { withFileTypes: true }).catch(() => []);
  const declared = [await read(folder)];
  for (const entry of charts)
    if (entry.isDirectory())
      declared.push({ [entry.name]: await read(join(folder, 'charts', entry.name)) });
  return declared;
}

/** Helm 4 leaves out keys without a value, which a chart may read all the same. */
function withEmptyKeys(values: Values, declared: Values, depth = 0): Values {
  const made: Record<string, unknown> = { ...values };
  if (depth > 64) return made;
  for (const [key, below] of Object.entries(declared)) {
    const own = made[key];
    if (isObject(below) && isObject(own)) made[key] = withEmptyKeys(own, below, depth + 1);
    else if (!Object.hasOwn(made, key) && typeof below === 'string' && textOf(below) === undefined)
      made[key] = null;
  }
  return made;
}
