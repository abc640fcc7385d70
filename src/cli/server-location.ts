import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { CommandFailure } from './command-failure.ts';
import { readConfig } from './config-reading.ts';
import { basicOf, parseCredentialsFile } from './credentials-file.ts';
import type { Terminal } from './terminal.ts';

export interface ServerOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly server?: string;
}

/** What a running server wrote of itself. */
export interface RunRecord {
  readonly pid: number;
  readonly listen: string;
  readonly adminListen: string;
}

export interface ServerLocation {
  readonly url: URL;
  /** The `Authorization` header. */
  readonly authorization: string;
  readonly pinnedCertificate: string | undefined;
}

/** Gives a command the options that say which server it talks to. */
export function addServerOptions(command: Command): Command {
  return command
    .option('--config <file>', 'the configuration of the server to talk to')
    .option('--data-dir <dir>', 'its data folder, instead of reading the configuration')
    .option('--server <url>', 'its address, instead of the one in its data folder');
}

/**
 * Finds the server by its data folder, and the key there; a token in BREAKWATER_TOKEN is used instead of the key, and with
 * `--server` needs no data folder. Throws `SERVER_NOT_RUNNING` (5) or `CREDENTIALS_MISSING` (4).
 */
export async function locateServer(
  options: ServerOptions,
  terminal: Terminal,
): Promise<ServerLocation> {
  const token = terminal.env['BREAKWATER_TOKEN'];
  const server = await findServer(options, terminal);
  if (token) return { ...server, authorization: `Bearer ${token}` };
  const { dataDir } = await locateData(options, terminal);
  return { ...server, authorization: await readAuthorization(dataDir) };
}

/** Where the server is, whoever asks it; with `--server` no data folder is looked at. */
export async function findServer(
  options: ServerOptions,
  terminal: Terminal,
): Promise<Omit<ServerLocation, 'authorization'>> {
  if (options.server !== undefined)
    return { url: parseServer(options.server), pinnedCertificate: undefined };
  const { dataDir, config } = await locateData(options, terminal);
  const url = await runningAt(dataDir);
  return {
    url,
    pinnedCertificate: url.protocol === 'https:' ? await readCertificate(config) : undefined,
  };
}

async function runningAt(dataDir: string): Promise<URL> {
  const record = await readRunRecord(dataDir);
  if (record !== undefined) return new URL(record.listen);
  throw serverNotRunning(`${join(dataDir, 'run.json')} names no running server`);
}

/** The data folder, absolute; the configuration only where it had to be read. */
export async function locateData(
  options: ServerOptions,
  terminal: Terminal,
): Promise<{ readonly dataDir: string; readonly config: Config | undefined }> {
  if (options.dataDir !== undefined)
    return { dataDir: resolve(terminal.cwd, options.dataDir), config: undefined };
  const config = await readConfig(options.config, terminal);
  return { dataDir: config.dataDir, config };
}

/** `undefined` where no server runs on the folder: no record, or one whose process is gone. */
export async function readRunRecord(dataDir: string): Promise<RunRecord | undefined> {
  const text = await readOptional(join(dataDir, 'run.json'));
  if (text === undefined) return undefined;
  const record = parseRunRecord(text);
  return record !== undefined && isAlive(record.pid) ? record : undefined;
}

function parseRunRecord(text: string): RunRecord | undefined {
  try {
    const { pid, listen, adminListen } = JSON.parse(text) as Partial<RunRecord>;
    if (typeof pid !== 'number' || typeof listen !== 'string' || typeof adminListen !== 'string')
      return undefined;
    return { pid, listen: dialable(listen), adminListen: dialable(adminListen) };
  } catch {
    return undefined;
  }
}

/** Every address is no address to connect to. Throws where the text is no URL. */
function dialable(address: string): string {
  const url = new URL(address);
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  if (url.hostname === '[::]') url.hostname = '[::1]';
  return url.origin;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function readAuthorization(dataDir: string): Promise<string> {
  const file = join(dataDir, 'credentials');
  const text = await readOptional(file);
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

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CommandFailure(`${file} cannot be read`, {
      exit: 'forbidden',
      code: 'FILE_UNREADABLE',
      because: message,
      hint: 'run the command as the user that runs the server',
      cause: error,
    });
  }
}

async function readCertificate(config: Config | undefined): Promise<string | undefined> {
  return config?.tls === undefined ? undefined : readFile(config.tls.certFile, 'utf8');
}

function parseServer(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '') return url;
  throw new CommandFailure(`--server: not a server's address: ${text}`, {
    exit: 'usage',
    code: 'USAGE',
    hint: 'write it as https://registry.example.com or http://127.0.0.1:5000',
  });
}

export function serverNotRunning(because: string): CommandFailure {
  return new CommandFailure('the server is not running', {
    exit: 'upstream',
    code: 'SERVER_NOT_RUNNING',
    because,
    hint: 'start it with breakwater serve, or say where it is with --config, --data-dir or --server',
  });
}
