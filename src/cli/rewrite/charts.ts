import { resolve } from 'node:path';
import {
  chartFolderOf,
  isChartFolder,
  readChartFolder,
} from '../../kubernetes/folder/chart-folder.ts';
import type { Chart } from '../../kubernetes/rewrite/chart.ts';
import { createChart } from '../../kubernetes/rewrite/chart.ts';
import { YamlProblem } from '../../kubernetes/text/yaml-tree.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandFailure } from '../command-failure.ts';

/** The charts that say what stands before a repository, each read once. */
export interface Charts {
  /** The one of `--chart`; `undefined` without it. */
  named(): Promise<Chart | undefined>;
  /** The one of `--chart`, else the one whose own values the file holds. */
  of(file: string): Promise<Chart | undefined>;
}

/** Throws `CHART_INVALID` (2) where a folder holds no chart that can be read. */
export function createCharts(folder: string | undefined, { terminal }: CommandContext): Charts {
  const read = new Map<string, Promise<Chart>>();
  const chartIn = async (path: string): Promise<Chart> => {
    const known = read.get(path) ?? readChart(path);
    read.set(path, known);
    return await known;
  };
  const named = async (): Promise<Chart | undefined> =>
    folder === undefined ? undefined : await chartIn(resolve(terminal.cwd, folder));
  return {
    named,
    async of(file) {
      if (folder !== undefined) return await named();
      const own = chartFolderOf(file);
      if (own === undefined) return undefined;
      // Its values are among the files, and told there where they can’t be read.
      return await chartIn(own).catch((error: unknown) => {
        if (error instanceof CommandFailure) return undefined;
        throw error;
      });
    },
  };
}

async function readChart(folder: string): Promise<Chart> {
  if (!isChartFolder(folder))
    throw chartInvalid(
      `${folder} holds no chart`,
      'name a folder with a Chart.yaml; unpack a packed chart with helm pull --untar',
    );
  try {
    return createChart(await readChartFolder(folder));
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    throw chartInvalid(`the values of the chart in ${folder} can’t be read: ${error.message}`);
  }
}

function chartInvalid(message: string, hint?: string): CommandFailure {
  return new CommandFailure(message, { exit: 'usage', code: 'CHART_INVALID', hint });
}
