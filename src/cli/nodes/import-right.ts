import type { Explanation } from '../../contract/explanation.ts';
import type { ImageMapping } from '../../domain/image-rewrite.ts';
import { registryHostProblem } from '../../domain/names/registry-host.ts';
import { mirroredHosts } from '../../kubernetes/nodes/node-settings.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandFailure } from '../command-failure.ts';
import type { MappingSource } from '../move/mapping-source.ts';
import { readSomeSettings } from '../server/config-reading.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import type { Format } from './formats.ts';

/** An address of documentation (RFC 5737): of another machine in any case. */
const anotherMachine = '192.0.2.1';

/** Where the registry listens on loopback of every node, each is the machine itself. */
function addressOfNode({ registryHost }: ImageMapping): string {
  return registryHostProblem(registryHost) === 'loopback' ? '127.0.0.1' : anotherMachine;
}

const hostsAskedMax = 50;

export interface Asked {
  readonly mapping: ImageMapping;
  readonly source: MappingSource;
  /** A user or robot; `anonymous`. */
  readonly as: string;
}

/** Whether what a node asks for is fetched: refused by the server in these words for these hosts. */
export interface Refused {
  /** Where nothing is refused it is empty. */
  readonly hosts: readonly string[];
  readonly because: string;
  /** Nothing at all is fetched. */
  readonly everywhere: boolean;
}

/** Asks the server, or reads its configuration, what it does for nodes; `undefined` where neither is known. */
export async function refusedTo(
  { mapping, source, as }: Asked,
  options: ServerOptions,
  { terminal }: CommandContext,
): Promise<Refused | undefined> {
  if (source === 'config') {
    const settings = await readSomeSettings(['anonymousImport'], options.config, terminal);
    const { anonymousImport } = settings;
    const hosts = mirroredHosts(mapping, { replaced: false }).map(({ host }) => host);
    const isOwn = anonymousImport === 'loopback' && addressOfNode(mapping) !== anotherMachine;
    return anonymousImport === true || isOwn
      ? { hosts: [], because: '', everywhere: false }
      : { hosts, because: `anonymousImport is ${anonymousImport}`, everywhere: true };
  }
  if (source !== 'server') return undefined;
  const mirrored = mirroredHosts(mapping, { replaced: false }).slice(0, hostsAskedMax);
  const answers: { readonly host: string; readonly because: string | undefined }[] = [];
  for (const { host, rows } of mirrored) {
    const path = rows.findLast(({ to, exact }) => to !== undefined && !exact)?.path ?? '';
    // A name that nobody holds: what is held is served to whoever may read it.
    const image = [host, path, 'breakwater-nodes', 'not-held:1'].filter(Boolean).join('/');
    const query = { image, as, from: addressOfNode(mapping) };
    const found = await askServer<Explanation>({ path: 'explain', query }, options, terminal);
    const [answer] = found.callers ?? [];
    const isRefused = answer?.status === 401 || (as !== 'anonymous' && answer?.status === 404);
    answers.push({ host, because: isRefused ? answer.text : undefined });
  }
  const refused = answers.filter(({ because }) => because !== undefined);
  return {
    hosts: refused.map(({ host }) => host),
    because: refused[0]?.because ?? '',
    everywhere: refused.length > 0 && refused.length === answers.length,
  };
}

/** What a node without a key would not be told. */
export function anonymousRefused(
  { because }: Refused,
  { key }: Pick<Format, 'key'>,
): CommandFailure {
  return new CommandFailure('nodes without a key would be refused what is new', {
    exit: 'conflict',
    code: 'NODES_NEED_KEY',
    because: `${because}; a node would go to the upstream itself then, without a word`,
    hint:
      key === 'none'
        ? 'set anonymousImport: true on the server'
        : 'give them one with --robot nodes or --key-file FILE, or set anonymousImport: true on the server',
  });
}
