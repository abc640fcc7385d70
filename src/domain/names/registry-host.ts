import { normalizeHost } from './host-name.ts';
import { parseImageName } from './image-name.ts';
import { isLoopbackHost } from './server-url.ts';

/** `no host`: images can't begin with it. `loopback`: on a node it is the node itself. `cluster name`: nodes don't ask the cluster's DNS. */
export type RegistryHostProblem = 'no host' | 'loopback' | 'cluster name';

/** What keeps a host from being written before a cluster's images; `undefined` where nothing does. */
export function registryHostProblem(text: string): RegistryHostProblem | undefined {
  if (parseImageName(`${text}/a/b`)?.host !== normalizeHost(text)) return 'no host';
  const name = text.toLowerCase().replace(/:\d+$/, '');
  if (isLoopbackHost(name) || name.endsWith('.localhost') || everyAddress.has(name))
    return 'loopback';
  return /\.svc(?:\.cluster\.local)?$/.test(name) ? 'cluster name' : undefined;
}

/** Dialled, they lead to the machine itself. */
const everyAddress: ReadonlySet<string> = new Set(['0.0.0.0', '[::]']);
