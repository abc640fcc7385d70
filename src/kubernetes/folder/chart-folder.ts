import { statSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { sourceFiles } from './source-files.ts';

/** A chart's files as they lie in its folder; paths from there, with slashes. */
export interface ChartFiles {
  /** Of the chart, and of those below `charts/` by their names. */
  readonly values: readonly { readonly under: readonly string[]; readonly text: string }[];
  readonly templates: readonly { readonly path: string; readonly text: string }[];
}

/** Values and templates together, of a chart with all that it brings along. */
const bytesMax = 16 * 1024 * 1024;

/** Whether a chart lies in a folder. */
export function isChartFolder(folder: string): boolean {
  return statSync(join(folder, 'Chart.yaml'), { throwIfNoEntry: false })?.isFile() === true;
}

/** The folder of the chart whose own values a file holds; `undefined` where it is none. */
export function chartFolderOf(file: string): string | undefined {
  const folder = dirname(file);
  return /^values[^/]*\.ya?ml$/.test(basename(file)) && isChartFolder(folder) ? folder : undefined;
}

/** Reads the values and the templates of the chart in a folder, and of the unpacked ones below its `charts/`. Throws where it is larger than 16 MiB. */
export async function readChartFolder(folder: string, signal?: AbortSignal): Promise<ChartFiles> {
  const values: { under: readonly string[]; text: string }[] = [];
  const templates: { path: string; text: string }[] = [];
  let bytes = 0;
  for await (const file of sourceFiles(folder, signal)) {
    if ('problem' in file) continue;
    const path = relative(folder, file.path).split(sep).join('/');
    bytes += file.size;
    if (bytes > bytesMax)
      throw new Error(`the chart in ${folder} is larger than ${bytesMax / 1024 / 1024} MiB`);
    const parts = path.split('/');
    const under = parts.filter((_part, index) => parts[index - 1] === 'charts');
    if (/^(?:charts\/[^/]+\/)*values\.ya?ml$/.test(path)) values.push({ under, text: file.text });
    else if (parts.includes('templates')) templates.push({ path, text: file.text });
  }
  return { values, templates };
}
