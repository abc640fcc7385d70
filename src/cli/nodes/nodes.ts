import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { addDoctorCommand } from './doctor.ts';
import { addGenerateCommand } from './generate.ts';

export function addNodesCommand(program: Command, context: CommandContext): void {
  const nodes = program
    .command('nodes')
    .summary('settings of nodes and engines, as files')
    .description(
      'Makes the files by which nodes and engines ask this registry first, under the names that images have already, and finds what is wrong with those of a node.',
    )
    .helpCommand(false);
  addGenerateCommand(nodes, context);
  addDoctorCommand(nodes, context);
}
