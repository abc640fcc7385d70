import type { Command } from 'commander';
import type { Explanation } from '../domain/explanation.ts';
import type { CommandContext } from './command-context.ts';
import { programOptions } from './command-context.ts';
import type { ExitName } from './exit-codes.ts';
import { renderExplanation } from './explanation-text.ts';
import type { OutputOptions } from './output.ts';
import { addOutputOptions, printValue } from './output.ts';
import { askServer } from './server-client.ts';
import type { ServerOptions } from './server-location.ts';
import { addServerOptions } from './server-location.ts';
import { createPaint } from './terminal.ts';

const deadlineMs = 30_000;

const examples = `
Examples:
  # Which rule, what is held, and what a pull would do; nothing is asked upstream
  breakwater explain docker.io/library/nginx:1.27

  # Ask upstream too, with one HEAD
  breakwater explain nginx --probe

  # Is it all here?
  breakwater explain registry.k8s.io/pause:3.10 -o json | jq -r .content.state

With --probe it ends with 3 where upstream lacks the image, with 4 where it denies it, with 5 where it cannot be asked.
`;

export function addExplainCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('explain <image>')
    .summary('say what a pull of an image would do, and why')
    .description(
      'Says which rule leads to an image, what is held of it, what limits upstream, and what a pull now would do. Upstream is asked only with --probe.',
    )
    .option('--probe', 'ask upstream with one HEAD');
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', examples)
    .action(async (image: string, options: OutputOptions & ServerOptions & { probe?: boolean }) => {
      const { terminal } = context;
      const found = await askServer<Explanation>(
        {
          method: 'GET',
          path: 'explain',
          query: { image, ...(options.probe === true ? { probe: 'true' } : {}) },
          deadlineMs,
        },
        options,
        terminal,
      );
      const { output } = options;
      const paint = createPaint(terminal, programOptions(command).color);
      if (output === 'json' || output === 'yaml') await printValue(terminal, output, found);
      else if (output === 'name') terminal.out(`${nameOf(found)}\n`);
      else terminal.out(renderExplanation(found, { wide: output === 'wide', paint }));
      context.end(exitOf(found));
    });
}

function nameOf(found: Explanation): string {
  return `${found.repository}${found.reference.includes(':') ? '@' : ':'}${found.reference}`;
}

function exitOf(found: Explanation): ExitName {
  const kind = found.probe?.failure?.kind;
  if (kind === undefined) return 'ok';
  if (kind === 'notFound') return 'notFound';
  return kind === 'denied' ? 'forbidden' : 'upstream';
}
