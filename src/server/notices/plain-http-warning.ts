import { isLoopbackHost } from '../../domain/names/server-url.ts';
import type { Config } from '../../config/config.ts';
import { formatListenAddress } from '../../config/schema/listen-address.ts';

/**
 * One line to log where passwords and tokens could cross a network readable by all; `undefined` where they can't. An
 * https `publicUrl` says that something in front speaks TLS. The Hub mirror takes no passwords, the admin listener neither.
 */
export function plainHttpWarning({
  listen,
  tls,
  publicUrl,
}: Pick<Config, 'listen' | 'tls' | 'publicUrl'>): string | undefined {
  if (tls !== undefined || isLoopbackHost(listen.host)) return undefined;
  if (publicUrl.toLowerCase().startsWith('https://')) return undefined;
  return (
    `listen: ${formatListenAddress(listen)} speaks plain HTTP beyond this machine, so passwords and tokens can be read on the way; ` +
    'set tls.certFile and tls.keyFile (breakwater tls init makes them for a first try), or publicUrl to https://… where a proxy in front speaks TLS'
  );
}
