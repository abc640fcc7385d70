import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Finding, NodeFolder } from '../../kubernetes/nodes/silent-failures.ts';
import { findSilentFailures } from '../../kubernetes/nodes/silent-failures.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { CommandFailure } from '../command-failure.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList } from '../terminal/output.ts';
import { readIfThere } from '../whole-files.ts';

const examples = `
Examples:
  # On a node
  breakwater nodes doctor

  # A node's folder, copied or mounted; what was generated, before it goes there
  breakwater nodes doctor --root node/ --exit-code
`;

interface Options extends OutputOptions {
  readonly root: string;
  readonly exitCode?: boolean;
}

export function addDoctorCommand(nodes: Command, context: CommandContext): void {
  const command = nodes
    .command('doctor')
    .summary('find what makes a node pull past its mirrors')
    .description(
      'Looks at the settings of containerd and Docker for what makes mirrors fail without a word. Nothing is asked of a registry.',
    )
    .option('--root <dir>', 'the root of the node', '/')
    .option('--exit-code', 'end with 10 where something is found');
  addOutputOptions(command)
    .addHelpText('after', examples)
    .action(async (options: Options) => {
      const root = resolve(context.terminal.cwd, options.root);
      const items = await findSilentFailures(nodeFolder(root));
      if (items.length === 0) remark(command, context, 'nothing was found');
      else if (options.exitCode === true) context.end('findings');
      await printList(context.terminal, options, { items }, look);
    });
}

const look: Look<Finding> = {
  name: ({ file, line }) => (line === undefined ? file : `${file}:${line}`),
  columns: [
    {
      header: 'WHERE',
      value: ({ file, line }) => (line === undefined ? file : `${file}:${line}`),
    },
    { header: 'LEVEL', value: ({ level }) => level },
    { header: 'PROBLEM', value: ({ problem }) => problem },
    { header: 'HINT', value: ({ hint }) => hint },
  ],
};

function nodeFolder(root: string): NodeFolder {
  return {
    read: async (path) => {
      try {
        return await readIfThere(join(root, path));
      } catch (error) {
        throw unreadable(path, error);
      }
    },
    folders: async (path) => {
      const entries = await entriesOf(root, path);
      const own = entries?.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
      return own?.map(({ name }) => name).toSorted();
    },
    files: async (path) => {
      const entries = await entriesOf(root, path);
      const own = entries?.filter((entry) => !entry.isDirectory()) ?? [];
      return own.map(({ name }) => name).toSorted();
    },
  };
}

async function entriesOf(root: string, path: string): Promise<readonly Dirent[] | undefined> {
  try {
    return await readdir(join(root, path), { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): CommandFailure {
  return new CommandFailure(`${path} cannot be read`, {
    exit: 'forbidden',
    code: 'FILE_UNREADABLE',
    because: (cause as Error).message,
    hint: 'files with keys are closed to others: run it as root',
    cause,
  });
}
