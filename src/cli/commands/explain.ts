import type { Command } from 'commander';
import type { Explanation } from '../../contract/explanation.ts';
import type { CommandContext } from '../command-context.ts';
import { programOptions } from '../command-context.ts';
import type { ExitName } from '../exit-codes.ts';
import { renderExplanation } from '../terminal/explanation-text.ts';
import type { OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printText } from '../terminal/output.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { createPaint } from '../terminal/terminal.ts';

const deadlineMs = 30_000;

const examples = `
Examples:
  # Which rule, what is held, and what a pull would do; nothing is asked upstream
  breakwater explain docker.io/library/nginx:1.27

  # Ask upstream too, with one HEAD
  breakwater explain nginx --probe

  # What would a node get, and a user?
  breakwater explain registry.k8s.io/pause:3.10 --as anonymous --from 192.0.2.7
  breakwater explain team/app:1 --as ci

  # Is it all here?
  breakwater explain registry.k8s.io/pause:3.10 -o json | jq -r .content.state

With --as or --from it ends with 4 where they would not get the image.
With --probe it ends with 3 where upstream lacks the image, with 4 where it denies it, with 5 where it cannot be asked.
`;

export function addExplainCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('explain <image>')
    .summary('say what a pull of an image would do, and why')
    .description(
      'Says what a pull of an image would get, here and on another machine, which rule leads to it, what is held of it, and what limits upstream. Upstream is asked only with --probe.',
    )
    .option('--probe', 'ask upstream with one HEAD')
    .option('--as <principal>', 'for whom: a name, an ARN, root, or anonymous, as it is without')
    .option(
      '--from <address>',
      'as if pulled from there; without it, from this machine and from another',
    );
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', examples)
    .action(async (image: string, options: Options) => {
      const { terminal } = context;
      const { as, from } = options;
      const query = { image, probe: options.probe === true ? 'true' : undefined, as, from };
      const request = { path: 'explain', query, deadlineMs };
      const found = await askServer<Explanation>(request, options, terminal);
      const paint = createPaint(terminal, programOptions(command).color);
      await printText(terminal, options, found, {
        name: () => nameOf(found),
        text: () => renderExplanation(found, { wide: options.output === 'wide', paint }),
      });
      const isAsked = as !== undefined || from !== undefined;
      context.end(isAsked && isRefused(found) ? 'forbidden' : exitOf(found));
    });
}

interface Options extends OutputOptions, ServerOptions {
  readonly probe?: boolean;
  readonly as?: string;
  readonly from?: string;
}

/** From anywhere that was asked about. */
function isRefused({ callers = [] }: Explanation): boolean {
  return callers.some(({ status }) => status >= 400);
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
