import type { Command } from 'commander';
import type { Listing, RuleView } from '../../contract/admin-view.ts';
import type { MappingFile } from '../../config/mapping/mapping-file.ts';
import type { ImageMapping } from '../../domain/image-rewrite.ts';
import { createImageMapping } from '../../domain/image-rewrite.ts';
import { normalizeHost } from '../../domain/names/host-name.ts';
import type { RegistryHostProblem } from '../../domain/names/registry-host.ts';
import { registryHostProblem } from '../../domain/names/registry-host.ts';
import { builtinRules } from '../../domain/rules/builtin-rules.ts';
import type { NamingRule } from '../../domain/rules/pull-rule.ts';
import { parseUpstreamUrl } from '../../domain/rules/upstream-url.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import { readConfig, readMapping } from '../server/config-reading.ts';
import { readRunRecord } from '../server/run-record.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import {
  addServerOptions,
  locateData,
  parseServer,
  serverNotRunning,
} from '../server/server-location.ts';

export interface MappingOptions extends ServerOptions {
  readonly mapping?: string;
  readonly registryHost?: string;
  readonly force?: boolean;
}

/** A mapping, and what it was made of. */
export interface FoundMapping {
  readonly mapping: ImageMapping;
  /** For people: `the rules of the server at http://127.0.0.1:5000`. */
  readonly from: string;
  /** What knows whom it serves: a server that can be asked, or its configuration; a mapping file and the built-in rules do not. */
  readonly source: MappingSource;
  /** Where what is generated holds; `include` empty: in every namespace. */
  readonly namespaces: MappingFile['namespaces'];
}

export type MappingSource = 'server' | 'config' | 'file' | 'builtin';

/** Gives a command the options that say what becomes of images; the same for every command that asks. */
export function addMappingOptions(command: Command): Command {
  return addServerOptions(command)
    .option('--mapping <file>', 'a file that says it, instead of a server')
    .option(
      '--registry-host <host>',
      "what images are to begin with; without it what the file says, or the host of the server's publicUrl",
    )
    .option('--force', 'a registry host that means each machine itself, such as localhost:5000');
}

/**
 * The mapping that the options mean: of the file that they name, of the server that they name or that runs on the data folder, else of the
 * configuration that they name, else of the built-in rules. Throws `USAGE` (2) where no host is known that images could begin with.
 */
export async function findMapping(
  options: MappingOptions,
  context: CommandContext,
): Promise<FoundMapping> {
  const { rules, host, from, source, file } = await findRules(options, context);
  const registryHost = checkedHost(options.registryHost ?? host, options);
  const former = file?.formerHost;
  const replaces = [
    ...(file?.replaces ?? []),
    ...(former === undefined || former === registryHost ? [] : [former]),
  ];
  return {
    mapping: createImageMapping({ registryHost, rules, replaces }),
    from,
    source,
    namespaces: file?.namespaces ?? { include: [], exclude: [] },
  };
}

interface FoundRules {
  readonly rules: readonly NamingRule[];
  /** Where clients reach the registry, as far as it is known. */
  readonly host: string | undefined;
  readonly from: string;
  readonly source: MappingSource;
  readonly file?: MappingFile;
}

async function findRules(options: MappingOptions, context: CommandContext): Promise<FoundRules> {
  const { terminal } = context;
  if (options.mapping !== undefined) return readRules(options.mapping, options, context);
  if (options.server !== undefined) {
    const url = parseServer(options.server);
    return { ...(await askRules(options, context)), host: url.host, ...ofServer(url.origin) };
  }
  const running = await readRunRecord(await locateData(options, terminal));
  if (running !== undefined) {
    const { publicUrl, listen, everywhere } = running;
    const own = everywhere ? undefined : new URL(listen).host;
    const host = publicUrl === undefined ? own : new URL(publicUrl).host;
    return { ...(await askRules(options, context)), host, ...ofServer(listen) };
  }
  if (options.config !== undefined) {
    const { config } = await readConfig(options.config, terminal);
    const host = config.publicUrl === '' ? undefined : new URL(config.publicUrl).host;
    return { rules: config.rules, host, from: `the rules of ${options.config}`, source: 'config' };
  }
  if (options.dataDir !== undefined) throw serverNotRunning(`no server runs on ${options.dataDir}`);
  return { rules: builtinRules, host: undefined, from: 'the built-in rules', source: 'builtin' };
}

async function readRules(
  path: string,
  { server, config, dataDir }: ServerOptions,
  { terminal }: CommandContext,
): Promise<FoundRules> {
  if (server !== undefined || config !== undefined || dataDir !== undefined)
    throw usageFailure(
      '--mapping is a mapping of its own',
      'leave out --server, --config and --data-dir, or --mapping',
    );
  const file = await readMapping(path, terminal);
  const { rules = builtinRules, registryHost: host } = file;
  return {
    rules,
    host,
    from: file.rules === undefined ? `the built-in rules and ${path}` : path,
    source: 'file',
    file,
  };
}

function ofServer(origin: string): Pick<FoundRules, 'from' | 'source'> {
  return { from: `the rules of the server at ${origin}`, source: 'server' };
}

/** Those in force, in their order. */
async function askRules(
  options: ServerOptions,
  { terminal }: CommandContext,
): Promise<Pick<FoundRules, 'rules'>> {
  const { items } = await askServer<Listing<RuleView>>({ path: 'rules' }, options, terminal);
  return {
    rules: items.flatMap((view) => {
      const url = parseUpstreamUrl(view.upstream);
      if (view.shadowedBy !== null || 'problem' in url) return [];
      const { prefix, origin, upstreamPrefix, credential } = view;
      const upstreamHost = normalizeHost(url.host);
      return [
        {
          prefix,
          origin,
          upstreamPrefix,
          credential: credential ?? undefined,
          upstreamHost,
          urls: [url],
        },
      ];
    }),
  };
}

function checkedHost(host: string | undefined, { force }: MappingOptions): string {
  if (host === undefined)
    throw usageFailure(
      'no host is known that images could begin with',
      'name it with --registry-host registry.example.com, as registryHost in the mapping file, or as publicUrl in the configuration of the server',
    );
  const problem = registryHostProblem(host);
  if (problem === undefined || (problem === 'loopback' && force === true)) return host;
  throw new CommandFailure(`${host} cannot stand before the images of a cluster`, {
    exit: 'usage',
    code: 'REGISTRY_HOST_INVALID',
    ...hostProblems[problem],
  });
}

const hostProblems: Readonly<
  Record<RegistryHostProblem, { readonly because: string; readonly hint: string }>
> = {
  'no host': {
    because: 'it is no host by which an image can be named',
    hint: 'write registry.example.com or registry.example.com:5000, without https:// and without a path; a name without a dot needs its port',
  },
  loopback: {
    because: 'to every node it means the node itself',
    hint: 'name a host that nodes resolve with --registry-host, or say --force where the registry listens there on every node',
  },
  'cluster name': {
    because: 'nodes pull images, and they do not ask the DNS of the cluster',
    hint: 'name a host that nodes resolve with --registry-host, such as that of a load balancer or of an ingress',
  },
};
