import type { Command } from 'commander';
import { openChart } from '../../kubernetes/charts/open-chart.ts';
import { renderedImages } from '../../kubernetes/charts/rendered-images.ts';
import { readManifests } from '../../kubernetes/text/read-source.ts';
import { renderedDocuments, templateOf } from '../../kubernetes/text/rendered-documents.ts';
import type { Renaming } from '../../kubernetes/rewrite/renaming.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { CommandFailure } from '../command-failure.ts';
import { findRenaming } from '../rewrite/renaming-options.ts';
import { rewriteSource } from '../rewrite/rewritten-files.ts';
import type { RenamingOptions } from '../rewrite/renaming-options.ts';
import type { ChartOptions } from './chart-options.ts';
import { asCommandFailure, chartRequest } from './chart-options.ts';

const manifestBytesMax = 64 * 1024 * 1024;

export interface PostRenderOptions extends RenamingOptions, ChartOptions {
  readonly chart?: string;
  readonly exitCode?: boolean;
}

export interface PostRenderParts {
  readonly command: Command;
  readonly context: CommandContext;
  readonly options: PostRenderOptions;
}

/** All of stdin goes to stdout with its images rewritten, or nothing does. */
export async function runPostRender(parts: PostRenderParts): Promise<void> {
  const { command, context, options } = parts;
  const { terminal } = context;
  const { rename, from } = await findRenaming(options, context);
  remark(command, context, `by ${from}`);
  terminal.out(rewriteManifests(await terminal.input(manifestBytesMax), rename));
  if (options.chart === undefined) return;
  const lines = await hookLines(options.chart, rename, parts);
  for (const line of lines) terminal.err(`${line}\n`);
  if (lines.length > 0 && options.exitCode === true) context.end('findings');
}

function rewriteManifests(text: string, rename: Renaming): string {
  if (text.includes('\ufffd'))
    throw new CommandFailure('stdin holds no UTF-8', { exit: 'failure', code: 'NOT_UTF8' });
  const problems: string[] = [];
  // Document by document: what helm hands over may be larger than any file.
  const documents = renderedDocuments(text).map((document) => {
    const source = templateOf(document) ?? 'stdin';
    const made = rewriteSource(source, document, { rename }, readManifests(document));
    problems.push(...made.problems);
    return made.text;
  });
  if (problems.length === 0) return documents.join('');
  throw new CommandFailure('manifests could not be read', {
    exit: 'failure',
    code: 'MANIFESTS_NOT_READ',
    problems,
    hint: 'nothing was printed; lines count from the begin of each document',
  });
}

async function hookLines(
  chart: string,
  rename: Renaming,
  { context, options }: PostRenderParts,
): Promise<readonly string[]> {
  const signal = context.terminal.interrupted();
  try {
    await using opened = await openChart(chartRequest(chart, options, context), signal);
    const { images } = renderedImages(await opened.render({}, signal));
    return images.flatMap(({ image, object, field, hook, certainty }) => {
      const renamed = hook && certainty === 'image' ? rename(image) : undefined;
      return renamed?.kind === 'rewritten'
        ? [
            `hook ${object}: ${field}: ${image} is not given to a post-renderer of Helm 3: it would be ${renamed.image}`,
          ]
        : [];
    });
  } catch (error) {
    throw asCommandFailure(error);
  }
}
