import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import { Argument, Option } from 'commander';
import type { NodeFile, NodeKey, NodeSettings } from '../../kubernetes/nodes/node-settings.ts';
import { isMirroredWhole, mirroredHosts } from '../../kubernetes/nodes/node-settings.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { usageFailure } from '../command-failure.ts';
import type { FoundMapping, MappingOptions } from '../move/mapping-source.ts';
import { addMappingOptions, findMapping } from '../move/mapping-source.ts';
import { readAuthorityFile } from './authority-file.ts';
import type { Format, FormatChoice, FormatName } from './formats.ts';
import { formatNames, formats } from './formats.ts';
import { anonymousRefused, refusedTo } from './import-right.ts';
import { makeRobotKey, readKey } from './node-key.ts';
import { differing, filesText, refuseOthers, writeNodeFiles } from './written-files.ts';

const examples = `
Examples:
  # See what a node gets; the server runs here, and its CA is that of tls init
  breakwater nodes generate containerd --ca tls/ca.crt --robot nodes

  # Into a folder that stands for the node's root, to be copied there
  breakwater nodes generate containerd --ca tls/ca.crt --key-file nodes.key --out node/
  tar -C node --owner=0 --group=0 -c . | ssh root@node-7 tar -C / --no-overwrite-dir -x

  # What other engines read
  breakwater nodes generate crio --ca tls/ca.crt --key-file nodes.key --out node/
  breakwater nodes generate docker --ca tls/ca.crt --hub-mirror http://registry.example.com:5002

  # In a pipeline: are the files still what the rules say? Ends with 10 where they are not
  breakwater nodes generate containerd --mapping mapping.yaml --key-file nodes.key --out node/ --check

Nodes ask the registry first and the upstream where it has no answer, with --no-fallback the registry alone. A key is in the files that it is for, which are closed to others.
`;

interface Options extends MappingOptions {
  readonly ca?: string;
  readonly plainHttp?: boolean;
  readonly robot?: string;
  readonly keyFile?: string;
  readonly fallback: boolean;
  readonly containerd: '1' | '2';
  readonly hostsDir: string;
  readonly pathStyle?: boolean;
  readonly hubMirror?: string;
  readonly out?: string;
  readonly replace?: boolean;
  readonly check?: boolean;
}

export function addGenerateCommand(nodes: Command, context: CommandContext): void {
  const command = nodes
    .command('generate')
    .summary('make the settings of nodes')
    .description(
      'Makes the files by which a node asks this registry for what it pulls: printed with their names, or written with --out into a folder that stands for the root of the node.',
    )
    .addArgument(new Argument('<format>', 'what reads them').choices(formatNames));
  addFileOptions(addContentOptions(addMappingOptions(command)))
    .addHelpText('after', examples)
    .action(async (name: FormatName, options: Options) => {
      const format = formats[name];
      refuseTogether(options);
      refuseForFormat(name, options);
      const found = await findMapping(options, context);
      remark(command, context, `by ${found.from}`);
      const folder = options.out && resolve(context.terminal.cwd, options.out);
      const settings = await settingsOf(found, { options, format, command, context });
      const make: MakeFiles = (key) => format.files({ ...settings, key }, choiceOf(options));
      if (folder !== undefined && options.check === true) {
        const others = await differing(folder, make(settings.key));
        for (const { path, exists } of others)
          remark(command, context, `${path}: ${exists ? 'would be another now' : 'is not there'}`);
        if (others.length > 0) context.end('findings');
        return;
      }
      // Whatever keeps the files from being made is found before a key is.
      const foreseen = make(options.robot === undefined ? settings.key : placeholder);
      if (folder !== undefined && options.replace !== true) await refuseOthers(folder, foreseen);
      const files =
        options.robot === undefined
          ? foreseen
          : make(await makeRobotKey(options.robot, found, { options, context }));
      if (folder === undefined) return context.terminal.out(filesText(files));
      const written = await writeNodeFiles(folder, files, options.replace === true);
      for (const path of written) remark(command, context, `wrote ${path}`);
    });
}

type MakeFiles = (key: NodeKey | undefined) => readonly NodeFile[];

/** Stands for a key that is not made yet. */
const placeholder: NodeKey = { user: 'AKIA', password: 'not-made-yet' };

function addContentOptions(command: Command): Command {
  return command
    .option('--ca <file>', 'the CA that signed the certificate of the registry')
    .option('--plain-http', 'the registry speaks plain HTTP: who is on the way reads and writes')
    .option('--robot <name>', 'give nodes a key of this robot, which is made where it is not there')
    .option('--key-file <file>', 'give nodes this key, a line ID:SECRET; - for stdin')
    .option('--no-fallback', 'nodes ask this registry alone, and pull nothing where it is away')
    .addOption(
      new Option('--containerd <version>', 'of containerd').choices(['1', '2']).default('2'),
    )
    .option(
      '--hosts-dir <dir>',
      'where containerd looks for a folder of each registry',
      '/etc/containerd/certs.d',
    )
    .option('--path-style', 'for a registry that does not read ns: paths in the URLs of mirrors')
    .option('--hub-mirror <url>', "for docker: the server's hubMirrorListen, as nodes reach it");
}

function addFileOptions(command: Command): Command {
  return command
    .option('--out <dir>', 'write the files there, under their paths on the node')
    .option('--replace', 'write over files there that say something else')
    .option('--check', 'write nothing; end with 10 where a file of --out would be another now');
}

function refuseTogether({ robot, keyFile, ca, plainHttp, check, out, hostsDir }: Options): void {
  if (robot !== undefined && keyFile !== undefined)
    throw usageFailure('--robot makes a key, and --key-file has one', 'leave one of them out');
  if (ca !== undefined && plainHttp === true)
    throw usageFailure('plain HTTP has no certificate', 'leave out --ca or --plain-http');
  if (check === true && out === undefined)
    throw usageFailure(
      '--check compares files, and none are named',
      'name their folder with --out',
    );
  if (check === true && robot !== undefined)
    throw usageFailure(
      '--robot would make another key for each check',
      'give the key that the files have with --key-file',
    );
  if (!isAbsolute(hostsDir) || hostsDir.includes(':'))
    throw usageFailure(
      `--hosts-dir: not one absolute path: ${hostsDir}`,
      'containerd looks into one folder; of several with a colon between them into none',
    );
}

const keyHints: Readonly<Record<Exclude<Format['key'], 'in its files'>, string>> = {
  none: 'it has no place for one: leave it out, and set anonymousImport: true on the server',
  'of its clients':
    'its clients bring one: leave it out, and log in with docker login where images are built',
  'of pods': 'each pod shows the token of its service account: leave it out',
};

/** What its files can't say. */
function refuseForFormat(name: FormatName, options: Options): void {
  const { robot, keyFile, fallback, pathStyle, hubMirror } = options;
  const { key, enforces } = formats[name];
  if ((robot ?? keyFile) !== undefined && key !== 'in its files')
    throw usageFailure(`${name} has no key in its files`, keyHints[key]);
  if (!fallback && !enforces)
    throw usageFailure(
      `${name} can't be told to leave the upstream alone`,
      'leave out --no-fallback, and shut the upstream in the network',
    );
  if (pathStyle === true && !['containerd', 'kind', 'nodeadm'].includes(name))
    throw usageFailure('--path-style is for containerd, kind and nodeadm', 'leave it out');
  if (hubMirror === undefined) return;
  if (name !== 'docker') throw usageFailure('--hub-mirror is for docker', 'leave it out');
  const url = URL.parse(hubMirror);
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.username !== ''
  )
    throw usageFailure(
      `--hub-mirror: not an address: ${hubMirror}`,
      'write it as http://registry.example.com:5002, without a path',
    );
}

interface Surroundings {
  readonly options: Options;
  readonly format: Format;
  readonly command: Command;
  readonly context: CommandContext;
}

/** All but a key that is to be made. Says what nodes would not be told, and throws where they would be refused everything new. */
async function settingsOf(
  found: FoundMapping,
  { options, format, command, context }: Surroundings,
): Promise<NodeSettings> {
  const { mapping, source } = found;
  const { ca, keyFile, robot, fallback } = options;
  const key = keyFile === undefined ? undefined : await readKey(keyFile, context);
  if (key === undefined && robot === undefined && format.key !== 'of pods') {
    const refused = await refusedTo({ mapping, source, as: 'anonymous' }, options, context);
    if (refused?.everywhere === true && format.key !== 'of its clients')
      throw anonymousRefused(refused, format);
    if (refused === undefined)
      remark(
        command,
        context,
        'nodes get no key: unless the registry has anonymousImport: true they are refused what is new, and go to the upstream without a word',
      );
    else if (refused.hosts.length > 0)
      remark(command, context, `not for nodes without a key: ${refused.hosts.join(', ')}`);
  }
  const partly = mirroredHosts(mapping, { replaced: false }).filter(
    (each) => !isMirroredWhole(each),
  );
  if (!fallback && partly.length > 0)
    remark(
      command,
      context,
      `without the fallback, names that no rule leads to can't be pulled from ${partly.map(({ host }) => host).join(', ')}`,
    );
  return {
    mapping,
    scheme: options.plainHttp === true ? 'http' : 'https',
    ca: ca === undefined ? undefined : await readAuthorityFile(ca, context),
    key,
    fallback,
  };
}

function choiceOf({ containerd, hostsDir, pathStyle, hubMirror }: Options): FormatChoice {
  return {
    containerd: containerd === '1' ? 1 : 2,
    hostsDir: hostsDir.replace(/(?<=.)\/+$/, ''),
    pathStyle: pathStyle === true,
    hubMirror,
  };
}
