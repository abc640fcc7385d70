import type { Command } from 'commander';
import type { WhoamiView } from '../../contract/access-view.ts';
import type { CommandFailure } from '../command-failure.ts';
import { usageFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { basicOf } from '../server/credentials-file.ts';
import { dockerConfigFile, writeDockerLogin } from '../server/docker-config.ts';
import { askServerAt } from '../server/server-client.ts';
import type { ServerLocation, ServerOptions } from '../server/server-location.ts';
import { addServerOptions, findServer, locateServer } from '../server/server-location.ts';
import type { Terminal } from '../terminal/terminal.ts';

const passwordBytesMax = 16_384;

const examples = `
Examples:
  # As the administrator, with the key of the data folder
  breakwater login

  # As anybody else: an access key, or any name and a token
  breakwater login --username token --password-stdin < token
  breakwater login --server https://registry.example.com --username AKIAIOSFODNN7EXAMPLE --password-stdin < secret
`;

interface LoginOptions extends ServerOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

export function addLoginCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('login')
    .summary("write docker's login for this server")
    .description(
      "Checks credentials at the server and writes them into docker's config.json (DOCKER_CONFIG, or .docker in the home folder), where docker, podman, skopeo, crane, regctl and helm find them.",
    )
    .option('-u, --username <name>', "an access key's id, or any name beside a token")
    .option('--password-stdin', 'read the secret or the token from stdin');
  addServerOptions(command)
    .addHelpText('after', examples)
    .action(async (options: LoginOptions) => {
      const { terminal } = context;
      const location = await locateLogin(options, terminal);
      const { authorization } = location;
      const who = await askServerAt<WhoamiView>({ path: 'whoami' }, location, terminal);
      const file = dockerConfigFile(terminal.env);
      const helpers = new Set<string>();
      for (const host of location.hosts) {
        const helper = await writeDockerLogin(file, host, pairOf(authorization));
        if (helper !== undefined) helpers.add(helper);
      }
      remark(
        command,
        context,
        `${location.hosts.join(', ')}: ${who.principal}, written to ${file}`,
      );
      for (const helper of helpers)
        remark(
          command,
          context,
          `docker asks its credential helper ${helper} first: log in with docker login where it does not find this`,
        );
    });
}

async function locateLogin(options: LoginOptions, terminal: Terminal): Promise<ServerLocation> {
  const { username, passwordStdin } = options;
  if ((username === undefined) !== (passwordStdin !== true))
    throw usage('--username and --password-stdin go together');
  if (username === undefined) return locateServer(options, terminal);
  if (username === '' || username.includes(':')) throw usage('--username is empty, or has a colon');
  const secretAccessKey = (await terminal.input(passwordBytesMax)).replace(/\r?\n$/, '');
  if (secretAccessKey === '') throw usage('stdin holds no password');
  const authorization = basicOf({ accessKeyId: username, secretAccessKey });
  return { ...(await findServer(options, terminal)), authorization };
}

/** Docker's form: base64 of user and password. A bearer token is a password beside any name. */
function pairOf(authorization: string): string {
  const [scheme = '', value = ''] = authorization.split(' ');
  return scheme === 'Bearer' ? Buffer.from(`token:${value}`).toString('base64') : value;
}

function usage(message: string): CommandFailure {
  return usageFailure(message, 'breakwater help login has examples');
}
