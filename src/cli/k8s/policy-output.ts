import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { PolicyScope } from '../../kubernetes/policies/policy-scope.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import type { FoundMapping, MappingOptions } from '../move/mapping-source.ts';
import { repeatable } from '../repeatable.ts';
import { printValue } from '../terminal/output.ts';
import { readIfThere } from '../whole-files.ts';

export interface PolicyOptions extends MappingOptions {
  readonly static?: boolean;
  readonly namespaceLabel: readonly string[];
  readonly check?: string;
  readonly output: 'yaml' | 'json';
}

/** Gives a command the options of all that print policies. */
export function addPolicyOptions(command: Command): Command {
  return command
    .option('--static', "for the API server's own folder: names end in .static.k8s.io")
    .option(
      '--namespace-label <key=value>',
      'only in namespaces with this label; may be repeated',
      repeatable,
      [],
    )
    .option('--check <file>', 'print nothing; end with 10 where the file would be another now')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'),
    );
}

export interface PrintedPolicy {
  readonly objects: readonly object[];
  /** What makes the same text again, after `breakwater`. */
  readonly words: readonly string[];
  readonly notes: readonly string[];
  /** As the API server calls the plugin that reads its own folder. */
  readonly plugin: 'MutatingAdmissionPolicy' | 'ValidatingAdmissionPolicy';
}

/** Prints the objects, or compares them with a file. */
export async function printPolicy(
  { objects, words, notes, plugin }: PrintedPolicy,
  options: PolicyOptions,
  place: { readonly command: Command; readonly context: CommandContext },
): Promise<void> {
  const { terminal } = place.context;
  if (options.output === 'json' && options.check === undefined)
    return printValue(terminal, 'json', { apiVersion: 'v1', kind: 'List', items: objects });
  const { policyText } = await import('../../kubernetes/policies/policy-text.ts');
  const text = policyText(objects, {
    command: ['breakwater', ...words].join(' '),
    notes: [...notes, ...(options.static === true ? staticNotes(plugin) : [])],
  });
  if (options.check === undefined) return terminal.out(text);
  await check(options.check, text, place);
}

function staticNotes(plugin: PrintedPolicy['plugin']): readonly string[] {
  return [
    `For a folder of the API server's own, which its admission configuration names for the plugin ${plugin}:`,
    `kind ${plugin}Configuration of apiserver.config.k8s.io/v1, staticManifestsDir. 1.36 wants the feature gate`,
    'ManifestBasedAdmissionControlConfig for it.',
  ];
}

/** In every namespace but kube-system where a mapping file says nothing else. */
export function scopeOf(
  namespaces: FoundMapping['namespaces'] | undefined,
  { namespaceLabel }: PolicyOptions,
): PolicyScope {
  const { include = [], exclude = [] } = namespaces ?? {};
  const isSaid = include.length + exclude.length > 0;
  return { include, exclude: isSaid ? exclude : ['kube-system'], labels: labelsOf(namespaceLabel) };
}

/** The options of a mapping and of all policies as they were given. */
export function sharedWords(options: PolicyOptions, host: string | undefined): readonly string[] {
  const words = host === undefined ? [] : ['--registry-host', host];
  for (const name of ['mapping', 'server', 'config', 'dataDir'] as const) {
    const value = options[name];
    const flag = name === 'dataDir' ? '--data-dir' : `--${name}`;
    if (value !== undefined) words.push(flag, quoted(value));
  }
  if (options.force === true) words.push('--force');
  if (options.static === true) words.push('--static');
  for (const label of options.namespaceLabel) words.push('--namespace-label', label);
  return words;
}

const labelKey =
  /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

function labelsOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      const [key, value] = [word.slice(0, Math.max(equals, 0)), word.slice(equals + 1)];
      if (!labelKey.test(key) || !labelValue.test(value))
        throw usageFailure(
          `--namespace-label: not a label: ${word}`,
          'write it as pull-through-enabled=true',
        );
      return [key, value];
    }),
  );
}

/** As a shell takes it, in one line. */
function quoted(text: string): string {
  return /^[\w./:=@-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", `'\\''`).replaceAll(/[\r\n]/g, ' ')}'`;
}

async function check(
  path: string,
  text: string,
  { command, context }: { readonly command: Command; readonly context: CommandContext },
): Promise<void> {
  const there = await readIfThere(resolve(context.terminal.cwd, path));
  if (there === undefined)
    throw new CommandFailure(`${path} is not there`, {
      exit: 'notFound',
      code: 'FILE_MISSING',
      hint: `make it: leave out --check, and write what is printed to ${path}`,
    });
  if (there === text) return;
  const [old, now] = [there.split('\n'), text.split('\n')];
  const line = now.findIndex((each, index) => each !== old[index]);
  const at = line < 0 ? now.length : line + 1;
  remark(command, context, `${path}:${at}: would be another now; write it anew without --check`);
  context.end('findings');
}
