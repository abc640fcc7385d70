import type { Command } from 'commander';
import { CommandFailure, renderFailure, toFailure } from './command-failure.ts';
import type { CommandContext } from './command-context.ts';
import { remark } from './command-context.ts';

/**
 * Does the same to each, one after the other, and goes on where one fails: each failure is told as it comes, and where others
 * went well the command ends with 7. A single one's failure is the command's own.
 */
export async function forEach(
  names: readonly string[],
  command: Command,
  context: CommandContext,
  change: { readonly act: (name: string) => Promise<void>; readonly done: string },
): Promise<void> {
  const failures: CommandFailure[] = [];
  for (const name of names) {
    try {
      await change.act(name);
      remark(command, context, `${change.done} ${name}`);
    } catch (error) {
      const failure = toFailure(error);
      if (names.length === 1 || failure.exit === 'interrupted') throw failure;
      failures.push(failure);
      const { exit, code, because, hint } = failure;
      const named = new CommandFailure(`${name}: ${failure.message}`, {
        exit,
        code,
        ...(because === undefined ? {} : { because }),
        ...(hint === undefined ? {} : { hint }),
      });
      context.terminal.err(renderFailure(named, false));
    }
  }
  if (failures.length === 0) return;
  context.end(failures.length < names.length ? 'partial' : (failures[0]?.exit ?? 'failure'));
}
