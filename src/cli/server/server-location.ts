import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import { readSomeSettings } from './config-reading.ts';
import { basicOf, parseCredentialsFile } from './credentials-file.ts';
import type { RunningServer } from './run-record.ts';
import { readDataFile, readRunRecord } from './run-record.ts';
import { hostsOf, isAddressOf, isLoopback } from './server-address.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface ServerOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly server?: string;
  readonly insecure?: boolean;
}

export interface ServerLocation {
  /** What is dialled. */
  readonly url: URL;
  /** The `Authorization` header. */
  readonly authorization: string;
  /** PEM; the certificate that the server of the data folder shows. */
  readonly pinnedCertificate: string | undefined;
  /** As clients may begin an image's name to mean this server: `localhost:5000`. */
  readonly hosts: readonly string[];
}

/** Gives a command the options that say which server it talks to. */
export function addServerOptions(command: Command): Command {
  return command
    .option('--config <file>', 'the configuration of the server to talk to')
    .option('--data-dir <dir>', 'its data folder, instead of reading the configuration')
    .option('--server <url>', 'another server, with a token in BREAKWATER_TOKEN')
    .option('--insecure', 'send credentials over plain HTTP to another machine');
}

/**
 * Finds the server by its data folder, and the key there; a token in BREAKWATER_TOKEN is used instead of the key. The key goes to
 * the server that runs on the folder and to no other: `--server` is another one unless it is an address of that one.
 * Throws `SERVER_NOT_RUNNING` (5), `CREDENTIALS_MISSING` (4) or `PLAIN_HTTP` (2).
 */
export async function locateServer(
  options: ServerOptions,
  terminal: Terminal,
): Promise<ServerLocation> {
  const token = terminal.env['BREAKWATER_TOKEN'];
  if (token) return { ...(await findServer(options, terminal)), authorization: `Bearer ${token}` };
  const dataDir = await locateData(options, terminal);
  const running = await readRunRecord(dataDir);
  if (options.server !== undefined) {
    const url = parseServer(options.server);
    if (running === undefined || !isAddressOf(url, running))
      throw otherServer(url, dataDir, running);
  }
  const location = await locationOf(running, dataDir);
  const authorization = await readAuthorization(dataDir);
  const { server } = options;
  const asked = server === undefined ? {} : { hosts: [parseServer(server).host] };
  return { ...location, ...asked, authorization };
}

/** Where the server is, for credentials that the caller has; with `--server` no data folder is looked at. */
export async function findServer(
  options: ServerOptions,
  terminal: Terminal,
): Promise<Omit<ServerLocation, 'authorization'>> {
  if (options.server === undefined) {
    const dataDir = await locateData(options, terminal);
    return locationOf(await readRunRecord(dataDir), dataDir);
  }
  const url = parseServer(options.server);
  if (url.protocol === 'http:' && !isLoopback(url) && options.insecure !== true)
    throw plainHttp(url);
  return { url, pinnedCertificate: undefined, hosts: [url.host] };
}

async function locationOf(
  running: RunningServer | undefined,
  dataDir: string,
): Promise<Omit<ServerLocation, 'authorization'>> {
  if (running === undefined)
    throw serverNotRunning(`${join(dataDir, 'run.json')} names no running server`);
  const { listen, certFile } = running;
  return {
    url: new URL(listen),
    pinnedCertificate: certFile === undefined ? undefined : await readDataFile(certFile),
    hosts: hostsOf(running),
  };
}

/** The data folder, absolute. Nothing else of the configuration is looked at: what only a server needs may be missing here. */
export async function locateData(options: ServerOptions, terminal: Terminal): Promise<string> {
  const { cwd } = terminal;
  if (options.dataDir !== undefined) return resolve(cwd, options.dataDir);
  const hint = 'mend it, or name the data folder of the server with --data-dir';
  const { dataDir } = await readSomeSettings(['dataDir'], options.config, terminal, hint);
  return resolve(cwd, dataDir);
}

/**
 * The configuration that is meant: the file that is named, else what the server was started with that runs on the data folder of
 * the environment and the defaults. `cwd`: what relative paths in it go from.
 */
export async function locateConfig(
  file: string | undefined,
  terminal: Terminal,
): Promise<{ readonly file: string | undefined; readonly cwd: string }> {
  const { cwd } = terminal;
  if (file !== undefined) return { file, cwd };
  try {
    const running = await readRunRecord(await locateData({}, terminal));
    return { file: running?.configFile, cwd: running?.cwd ?? cwd };
  } catch (error) {
    // What is wrong with the environment or the folder is told by whoever reads the configuration.
    if (!(error instanceof CommandFailure)) throw error;
    return { file, cwd };
  }
}

async function readAuthorization(dataDir: string): Promise<string> {
  const file = join(dataDir, 'credentials');
  const text = await readDataFile(file);
  if (text === undefined)
    throw new CommandFailure('the credentials of the server are missing', {
      exit: 'forbidden',
      code: 'CREDENTIALS_MISSING',
      because: `${file} is not there`,
      hint: 'name the data folder of the server with --config or --data-dir, or set BREAKWATER_TOKEN',
    });
  const pair = parseCredentialsFile(text);
  if (pair === undefined)
    throw new CommandFailure('the credentials cannot be used', {
      exit: 'forbidden',
      code: 'CREDENTIALS_INVALID',
      because: `${file} has no [default] profile with an access key and a secret key`,
    });
  return basicOf(pair);
}

/** The value of `--server`. Throws `USAGE` (2) where it is no server's address. */
export function parseServer(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '') return url;
  throw usageFailure(
    `--server: not a server's address: ${text}`,
    'write it as https://registry.example.com or http://127.0.0.1:5000',
  );
}

function otherServer(
  url: URL,
  dataDir: string,
  running: RunningServer | undefined,
): CommandFailure {
  const runs =
    running === undefined ? 'no server runs on it' : `its server is at ${running.listen}`;
  return new CommandFailure(`no credentials for ${url.origin}`, {
    exit: 'forbidden',
    code: 'CREDENTIALS_MISSING',
    because: `the key of ${dataDir} is sent to the server of that folder alone, and ${runs}`,
    hint: 'set BREAKWATER_TOKEN to a token of that server, made there with breakwater token create',
  });
}

function plainHttp(url: URL): CommandFailure {
  return new CommandFailure(`${url.origin} is plain HTTP to another machine`, {
    exit: 'usage',
    code: 'PLAIN_HTTP',
    because: 'who is on the way would read the credentials',
    hint: 'use https://, or --insecure where that does not matter',
  });
}

export function serverNotRunning(because: string): CommandFailure {
  return new CommandFailure('the server is not running', {
    exit: 'upstream',
    code: 'SERVER_NOT_RUNNING',
    because,
    hint: 'start it with breakwater serve, or say where its data is with --data-dir, --config or BREAKWATER__DATA_DIR',
  });
}
