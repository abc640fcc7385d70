import type { Command } from 'commander';
import { CommandFailure, renderFailure, toFailure } from './command-failure.ts';
import type { CommandContext } from './command-context.ts';
import { remark } from './command-context.ts';
import type { ApiRequest } from './server/server-client.ts';
import { askServer } from './server/server-client.ts';
import type { ServerOptions } from './server/server-location.ts';

/** What a command that deletes is made of. */
export interface Deletion {
  readonly command: Command;
  readonly context: CommandContext;
  readonly options: ServerOptions;
  /** What is said of each; `deleted` where absent. */
  readonly done?: string;
  /** Told after it what the server answered. */
  readonly after?: (name: string, answer: unknown) => void;
  /** The request of one; a `DELETE`. */
  readonly requestOf: (name: string) => Omit<ApiRequest, 'method'>;
}

/**
 * Deletes each, one after the other, and goes on where one fails: each failure is told as it comes, and where others went well
 * the command ends with 7. A single one's failure is the command's own.
 */
export async function deleteEach(
  names: readonly string[],
  { command, context, options, done = 'deleted', after, requestOf }: Deletion,
): Promise<void> {
  const { terminal } = context;
  const failures: CommandFailure[] = [];
  for (const name of names) {
    try {
      const request = { method: 'DELETE', ...requestOf(name) } as const;
      const answer = await askServer<unknown>(request, options, terminal);
      remark(command, context, `${done} ${name}`);
      after?.(name, answer);
    } catch (error) {
      const failure = toFailure(error);
      if (names.length === 1 || failure.exit === 'interrupted') throw failure;
      failures.push(failure);
      const { exit, code, because, hint } = failure;
      const note = { exit, code, because, hint };
      const named = new CommandFailure(`${name}: ${failure.message}`, note);
      terminal.err(renderFailure(named, false));
    }
  }
  if (failures.length === 0) return;
  context.end(failures.length < names.length ? 'partial' : (failures[0]?.exit ?? 'failure'));
}
