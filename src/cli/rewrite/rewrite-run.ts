import { realpath, stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { isKustomization, resourceNames } from '../../kubernetes/folder/kustomize-names.ts';
import { replaceFile } from '../../kubernetes/folder/replace-file.ts';
import { sourceFiles } from '../../kubernetes/folder/source-files.ts';
import type { RewriteOptions } from '../../kubernetes/rewrite/rewrite-text.ts';
import type { Renaming } from '../../kubernetes/rewrite/renaming.ts';
import { rememberRenaming } from '../../kubernetes/rewrite/renaming.ts';
import { unifiedDiff } from '../../kubernetes/rewrite/unified-diff.ts';
import { sourceBytesMax } from '../../kubernetes/text/read-source.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { CommandFailure, toFailure, usageFailure } from '../command-failure.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { printList } from '../terminal/output.ts';
import type { Charts } from './charts.ts';
import { createCharts } from './charts.ts';
import type { RenamingOptions } from './renaming-options.ts';
import { findRenaming } from './renaming-options.ts';
import type { ReferenceLine, RewrittenSource } from './rewritten-files.ts';
import { rewriteSource } from './rewritten-files.ts';

export interface RewriteCommandOptions extends RenamingOptions, OutputOptions {
  readonly file: readonly string[];
  readonly check?: boolean;
  readonly diff?: boolean;
  readonly inPlace?: boolean;
  readonly chart?: string;
}

export interface RewriteParts {
  readonly command: Command;
  readonly context: CommandContext;
  readonly options: RewriteCommandOptions;
}

/** Rewrites files, folders or stdin, as the options say; tells what it does and ends as the command does. */
export async function runRewrite(paths: readonly string[], parts: RewriteParts): Promise<void> {
  const { command, context, options } = parts;
  const found = await findRenaming(options, context);
  const rename = rememberRenaming(found.rename);
  const charts = createCharts(options.chart, context);
  await charts.named();
  remark(command, context, `by ${found.from}`);
  const told: Told = { lines: [], files: 0, problems: 0 };
  if (paths.length > 0 && !paths.includes('-')) {
    await requirePaths(paths, parts);
    const roots = await Promise.all(
      paths.map((path) => realpath(resolve(context.terminal.cwd, path))),
    );
    for (const path of paths) await rewriteFiles(path, parts, told, { rename, charts, roots });
  } else {
    if (paths.length > 1) throw usageFailure('- and files can’t be read together');
    await rewriteStdin(parts, told, { rename, chart: await charts.named() });
  }
  await endRun(parts, told);
}

/** Files that are written and synced side by side: a disk takes many at once in the time of one. */
const replacedAtOnce = 32;

/** What is told at the end. */
interface Told {
  readonly lines: ReferenceLine[];
  files: number;
  problems: number;
}

function tell({ context }: RewriteParts, told: Told, problem: string): void {
  told.problems += 1;
  context.terminal.err(`error: ${problem}\n`);
}

function rewriteOne(parts: RewriteParts, told: Told, source: Source): RewrittenSource {
  const made = rewriteSource(source.name, source.text, source);
  told.files += 1;
  for (const problem of made.problems) tell(parts, told, problem);
  return made;
}

interface Source extends RewriteOptions {
  readonly name: string;
  readonly text: string;
}

async function rewriteStdin(
  parts: RewriteParts,
  told: Told,
  rewriting: RewriteOptions,
): Promise<void> {
  const { context, options } = parts;
  const { terminal } = context;
  if (options.inPlace === true) throw usageFailure('stdin can’t be replaced in place');
  const text = await terminal.input(sourceBytesMax);
  // What is no UTF-8 was lost on the way in.
  if (text.includes('\ufffd'))
    throw new CommandFailure('stdin holds no UTF-8', { exit: 'failure', code: 'NOT_UTF8' });
  const made = rewriteOne(parts, told, { name: 'stdin', text, ...rewriting });
  told.lines.push(...made.lines);
  if (options.diff === true) terminal.out(unifiedDiff('stdin', text, made.text));
  // Half of it rewritten would be applied by what reads on.
  else if (options.check !== true && made.problems.length === 0) terminal.out(made.text);
}

interface FilesRun {
  readonly rename: Renaming;
  readonly charts: Charts;
  /** Real paths of what is rewritten. */
  readonly roots: readonly string[];
}

/** A name that a kustomization looks for follows where its resources have the new name already, or all get it in this run. */
function renamedAround(file: string, roots: readonly string[]): RewriteOptions['isRenamed'] {
  const names = resourceNames(file);
  const isIn = (path: string): boolean =>
    roots.some((root) => path === root || path.startsWith(`${root}${sep}`));
  return (name, becomes) => {
    const files = names.get(name) ?? [];
    return files.length > 0 ? files.every(isIn) : names.has(becomes);
  };
}

async function rewriteFiles(
  given: string,
  parts: RewriteParts,
  told: Told,
  { rename, charts, roots }: FilesRun,
): Promise<void> {
  const { context, options } = parts;
  const { terminal } = context;
  const { check = false, diff = false, inPlace = false } = options;
  const path = resolve(terminal.cwd, given);
  const under = new Set<Promise<void>>();
  for await (const file of sourceFiles(path, terminal.interrupted())) {
    const name = nameUnder(given, path, file.path);
    if ('problem' in file) {
      told.files += 1;
      tell(parts, told, `${name}: ${file.problem}`);
      continue;
    }
    const chart = await charts.of(file.realPath);
    const isRenamed = isKustomization(file.realPath)
      ? renamedAround(file.realPath, roots)
      : undefined;
    const made = rewriteOne(parts, told, { name, text: file.text, rename, chart, isRenamed });
    if (diff) terminal.out(unifiedDiff(name, file.text, made.text));
    else if (!check && !inPlace && made.problems.length === 0) terminal.out(made.text);
    if (!inPlace || made.text === file.text) {
      told.lines.push(...made.lines);
      continue;
    }
    const replaced = replaceFile(file, made.text).then(
      () => void told.lines.push(...made.lines),
      (error: unknown) => tell(parts, told, `${name}: not replaced: ${toFailure(error).message}`),
    );
    under.add(replaced);
    void replaced.finally(() => under.delete(replaced));
    if (under.size >= replacedAtOnce) await Promise.race(under);
  }
  await Promise.all(under);
}

async function endRun(
  { command, context, options }: RewriteParts,
  { lines, problems, files }: Told,
): Promise<void> {
  // Files that are replaced side by side are told as they are done.
  lines.sort((a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column);
  if (options.check === true || options.inPlace === true)
    await printList(context.terminal, options, { items: lines }, look);
  else for (const line of lines) if (line.note !== null) remark(command, context, noteOf(line));
  const isFound = lines.some(({ state }) => state === 'changes');
  if (options.check === true && isFound) context.end('findings');
  else if (problems > 0) context.end(problems < files ? 'partial' : 'failure');
}

/** Nothing is written where a path is wrong, or where several would go to stdout. */
async function requirePaths(
  paths: readonly string[],
  { context, options }: RewriteParts,
): Promise<void> {
  const isShown = [options.check, options.diff, options.inPlace].includes(true);
  for (const path of paths) {
    const status = await stat(resolve(context.terminal.cwd, path)).catch(() => undefined);
    if (status === undefined)
      throw new CommandFailure(`${path} is not there`, {
        exit: 'notFound',
        code: 'FILE_NOT_FOUND',
      });
    if (!isShown && (paths.length > 1 || status.isDirectory()))
      throw usageFailure(
        'one file alone goes to stdout',
        'for several say --diff, --check or --in-place',
      );
  }
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** As the user named it. */
function nameUnder(given: string, path: string, found: string): string {
  return given.replace(/(?<=.)\/+$/, '') + found.slice(path.length);
}

function noteOf({ file, line, column, field, image, becomes, state, note }: ReferenceLine): string {
  const what =
    state === 'stays' ? `stays: ${image} would be ${becomes}` : `${image} is now ${becomes}`;
  return `${file}:${line}:${column}: ${field}: ${what}: ${note}`;
}

const look: Look<ReferenceLine> = {
  columns: [
    { header: 'PLACE', value: ({ file, line, column }) => `${file}:${line}:${column}` },
    { header: 'STATE', value: ({ state }) => state },
    { header: 'IMAGE', value: ({ image }) => image },
    { header: 'BECOMES', value: ({ becomes }) => becomes },
    { header: 'FIELD', value: ({ field }) => field, wide: true },
    { header: 'NOTE', value: ({ note }) => note ?? '' },
  ],
  name: ({ file, line, column }) => `${file}:${line}:${column}`,
};
