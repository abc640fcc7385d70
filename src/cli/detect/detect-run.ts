import type { Command } from 'commander';
import { createImageMapping } from '../../domain/image-rewrite.ts';
import { builtinRules } from '../../domain/rules/builtin-rules.ts';
import type { DetectedImage, Detection } from '../../kubernetes/detect/detection.ts';
import type { Judge } from '../../kubernetes/detect/flags.ts';
import { createJudge } from '../../kubernetes/detect/flags.ts';
import { hostsOf } from '../../kubernetes/detect/registry-hosts.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import { readVersion } from '../commands/version.ts';
import type { MappingOptions } from '../move/mapping-source.ts';
import { findMapping } from '../move/mapping-source.ts';
import { renderCsv } from '../terminal/csv.ts';
import type { ReportOptions } from '../terminal/output.ts';
import { printList, printValue } from '../terminal/output.ts';
import type { ClusterOptions } from './cluster-options.ts';
import { flagNames } from './flag-names.ts';
import { imageColumns, placeColumns, placeRows, renderRest } from './rows.ts';
import { sarifOf } from './sarif.ts';
import type { Scan } from './scan-files.ts';

export interface DetectOptions extends ReportOptions, ClusterOptions, MappingOptions {
  readonly only?: readonly string[];
  readonly exitCode?: boolean;
}

export interface DetectParts {
  readonly command: Command;
  readonly context: CommandContext;
  readonly options: DetectOptions;
}

/** Reads what is named, or the cluster where nothing is; tells what it found and ends as the command does. */
export async function runDetect(paths: readonly string[], parts: DetectParts): Promise<void> {
  const { context, options } = parts;
  const wanted = wantedFlags(options.only);
  // What was asked for and is wrong is said before a long reading. Otherwise what reads configurations is loaded when that is over.
  const asked = isMappingAsked(options) ? await findJudge(parts) : undefined;
  const scan = await scanOf(paths, parts);
  const { judge, isHostKnown } = asked ?? (await findJudge(parts));
  const images = scan.inventory.images(judge);
  const items = wanted === undefined ? images : images.filter((each) => hasOne(each, wanted));
  const { from, policies, dockerHub, notRead } = scan;
  const hosts = hostsOf(items);
  const found: Detection = { from, items, hosts, policies, dockerHub, notRead };
  await print(parts, found, isHostKnown);
  const isFlagged =
    items.some(({ flags }) => flags.length > 0) ||
    (wanted === undefined && policies.some(({ finding }) => finding === 'old-host'));
  if (options.exitCode !== true) return;
  if (isFlagged) context.end('findings');
  // Nothing was found in what could be read: that is no pass.
  else if (notRead.length > 0) context.end('partial');
}

function wantedFlags(only: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (only === undefined) return undefined;
  const unknown = only.find((name) => !(flagNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw usageFailure(`${unknown} is no flag`, `--only knows ${flagNames.join(', ')}`);
  return new Set(only);
}

function hasOne({ flags }: DetectedImage, wanted: ReadonlySet<string>): boolean {
  return flags.some(({ flag }) => wanted.has(flag));
}

async function scanOf(paths: readonly string[], parts: DetectParts): Promise<Scan> {
  const { command, context, options } = parts;
  const { terminal } = context;
  if (paths.length > 0) {
    const clusterOptions = [options.kubeconfig, options.context, options.namespace];
    const { allNamespaces, helmSecrets } = options;
    if (
      allNamespaces === true ||
      helmSecrets === true ||
      clusterOptions.some((each) => each !== undefined)
    )
      throw usageFailure(
        'files are read, or a cluster',
        'leave out the path, or --kubeconfig, --context, --namespace, --all-namespaces and --helm-secrets',
      );
    if (paths.includes('-') && paths.length > 1)
      throw usageFailure('- and files can’t be read together');
    const { scanFiles, scanStdin } = await import('./scan-files.ts');
    const scan = paths.includes('-') ? await scanStdin(terminal) : await scanFiles(paths, terminal);
    tellNotRead(scan, parts);
    return scan;
  }
  const { readCluster } = await import('./from-cluster.ts');
  const scan = await readCluster(options, terminal);
  remark(command, context, `read ${scan.from}`);
  if (scan.insecure)
    remark(command, context, 'its certificate was not checked: insecure-skip-tls-verify');
  tellNotRead(scan, parts);
  return scan;
}

function tellNotRead({ notRead }: Scan, { command, context }: DetectParts): void {
  for (const { what, why } of notRead) remark(command, context, `not read: ${what}: ${why}`);
}

function isMappingAsked({
  mapping,
  registryHost,
  server,
  config,
  dataDir,
}: MappingOptions): boolean {
  return [mapping, registryHost, server, config, dataDir].some((each) => each !== undefined);
}

/** Without a word of where the registry is, what images become is left out where nothing says it. */
async function findJudge({
  command,
  context,
  options,
}: DetectParts): Promise<{ readonly judge: Judge; readonly isHostKnown: boolean }> {
  try {
    const found = await findMapping(options, context);
    remark(command, context, `by ${found.from}`);
    return { judge: createJudge(found.mapping, true), isHostKnown: true };
  } catch (error) {
    if (isMappingAsked(options) || !(error instanceof CommandFailure)) throw error;
    const rules = createImageMapping({ registryHost: 'registry.invalid', rules: builtinRules });
    remark(command, context, 'by the built-in rules; --registry-host says what images become');
    return { judge: createJudge(rules, false), isHostKnown: false };
  }
}

async function print(
  { context, options }: DetectParts,
  found: Detection,
  isHostKnown: boolean,
): Promise<void> {
  const { terminal } = context;
  const { output, headers } = options;
  if (output === 'csv') return terminal.out(renderCsv(placeRows(found), placeColumns, headers));
  if (output === 'sarif')
    return printValue(terminal, 'json', sarifOf(found, readVersion().version));
  await printList(terminal, { output, headers }, found, {
    columns: imageColumns(isHostKnown),
    name: ({ image }) => image,
  });
  if ((output === 'table' || output === 'wide') && headers)
    terminal.out(renderRest(found, output === 'wide'));
}
