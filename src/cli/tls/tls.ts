import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { programOptions } from '../command-context.ts';
import type { Validity } from './certificates.ts';
import type { TlsFolder } from './folder.ts';

const dayMs = 86_400_000;
/** Clocks of clients may be behind. */
const backdatedMs = 300_000;
const authorityDays = 3650;
/** What Apple's clients take of a CA that a user added. */
const serverDaysMax = 825;
const hostsMax = 100;

const examples = `
Examples:
  # For this machine; then pull from https://localhost:5000
  breakwater tls init > breakwater.yaml
  breakwater serve --config breakwater.yaml

  # For other machines, with what to write into the configuration
  breakwater tls init --dir /etc/breakwater/tls --host registry.example.com --host 192.0.2.7 >> breakwater.yaml

  # A new server certificate by the same CA; a running server takes it up by itself
  breakwater tls init --host registry.example.com --force
`;

interface InitOptions {
  readonly dir: string;
  readonly host?: readonly string[];
  readonly days: number;
  readonly force?: boolean;
}

export function addTlsCommand(program: Command, context: CommandContext): void {
  const tls = program
    .command('tls')
    .summary('make certificates for a first try')
    .description('Makes certificates for a first try.')
    .helpCommand(false);
  addInitCommand(tls, context);
}

function addInitCommand(tls: Command, { terminal }: CommandContext): void {
  const command = tls
    .command('init')
    .summary('make a CA and a server certificate')
    .description(
      'Makes a certificate authority (ca.crt, ca.key) and a server certificate signed by it (server.crt, server.key), for localhost, this machine’s name and every --host. A CA that is there is used again. Prints what to write into the configuration.',
    )
    .option('--dir <dir>', 'where the files go', 'tls')
    .option('--host <name>', 'a DNS name or IP address that clients use; repeatable', addHost)
    .option(
      '--days <n>',
      `how long the server certificate is valid, ${serverDaysMax} at most`,
      parseDays,
      serverDaysMax,
    )
    .option('--force', 'replace server.crt and server.key; never the CA')
    .addHelpText('after', examples)
    .action(async (options: InitOptions) => {
      const made = await init(options, resolve(terminal.cwd, options.dir));
      const { serverCert, serverKey } = made.files;
      terminal.out(
        `tls:\n  certFile: ${JSON.stringify(serverCert)}\n  keyFile: ${JSON.stringify(serverKey)}\n`,
      );
      if (programOptions(command).quiet !== true) terminal.err(describe(made, options));
    });
}

async function init(options: InitOptions, folder: string): Promise<Made> {
  const certificates = await import('./certificates.ts');
  const folders = await import('./folder.ts');
  const files = folders.tlsFolder(folder);
  const force = options.force === true;
  const now = new Date();
  await mkdir(folder, { recursive: true });
  const server = [files.serverKey, files.serverCert];
  if (!force) await folders.refuseExisting(server);
  const old = await folders.readAuthority(files, now);
  const authority =
    old ??
    (await certificates.createAuthority(
      `Breakwater CA of ${hostname()}`.slice(0, 64),
      validity(now, authorityDays),
    ));
  if (old === undefined) {
    const paths = { cert: files.authorityCert, key: files.authorityKey };
    await folders.writePair(authority, paths, false);
  }
  const names = namesOf(options.host ?? []);
  const made = await certificates.createServerCertificate(
    authority,
    names,
    validity(now, options.days),
  );
  await folders.writePair(made, { cert: files.serverCert, key: files.serverKey }, force);
  return { files, names, newAuthority: old === undefined };
}

interface Made {
  readonly files: TlsFolder;
  readonly names: readonly string[];
  readonly newAuthority: boolean;
}

function validity(now: Date, days: number): Validity {
  const from = now.getTime() - backdatedMs;
  return { notBefore: new Date(from), notAfter: new Date(from + days * dayMs) };
}

/** Loopback, this machine's name where it can stand in a certificate, and those given; each once. */
function namesOf(given: readonly string[]): readonly string[] {
  const own = parseHost(hostname());
  return [
    ...new Set(['localhost', '127.0.0.1', '::1', ...(own === undefined ? [] : [own]), ...given]),
  ];
}

function describe({ files, names, newAuthority }: Made, { host = [] }: InitOptions): string {
  const ca = files.authorityCert;
  const name = host.find((each) => !each.startsWith('*')) ?? 'localhost';
  const address = `${name.includes(':') ? `[${name}]` : name}:5000`;
  return `${newAuthority ? 'A new CA' : 'The CA that was there'}: ${ca}
A server certificate for ${names.join(', ')}: ${files.serverCert}

What is on stdout goes into the configuration. The user that serves must be able to read ${files.serverKey};
the key of the CA is needed by this command alone. Clients must trust ${ca}:

  docker      copy it to /etc/docker/certs.d/${address}/ca.crt
  containerd  in /etc/containerd/certs.d/${address}/hosts.toml:
                server = "https://${address}"
                [host."https://${address}"]
                  ca = ${JSON.stringify(ca)}
  podman, skopeo, buildah
              copy it to /etc/containers/certs.d/${address}/ca.crt
  crane, helm, oras, cosign
              export SSL_CERT_FILE=${ca}   (in place of the system's own roots)
  aws         export AWS_CA_BUNDLE=${ca}
  Node        export NODE_EXTRA_CA_CERTS=${ca}
`;
}

function addHost(text: string, hosts: readonly string[] = []): readonly string[] {
  const host = parseHost(text);
  if (host === undefined)
    throw new InvalidArgumentError(
      'It must be a DNS name or an IP address, without scheme and port.',
    );
  if (hosts.length >= hostsMax) throw new InvalidArgumentError(`At most ${hostsMax} are allowed.`);
  return [...hosts, host];
}

const dnsName =
  /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

function parseHost(text: string): string | undefined {
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  if (isIP(bare) === 4) return bare;
  // One spelling of each IPv6 address: without it a dotted end would be taken for groups.
  if (isIP(bare) === 6) return URL.parse(`http://[${bare}]`)?.hostname.slice(1, -1);
  const lower = text.toLowerCase();
  // Digits and dots alone: a slip, not a name.
  return dnsName.test(lower) && !/^[\d.]+$/.test(lower) ? lower : undefined;
}

function parseDays(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > serverDaysMax)
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${serverDaysMax}.`);
  return days;
}
