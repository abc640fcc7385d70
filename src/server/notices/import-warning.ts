import type { Config } from '../../config/config.ts';
import { formatListenAddress } from '../../config/schema/listen-address.ts';
import { isLoopbackHost } from '../../domain/names/server-url.ts';

/**
 * One line to log where other machines reach a server that fetches nothing new for them without a login: their clients get 401,
 * and containerd goes on to the public registry without a word. `undefined` where they may import, or can't get here.
 */
export function importWarning({
  listen,
  hubMirrorListen,
  publicUrl,
  anonymousPull,
  anonymousImport,
}: Pick<Config, 'listen' | 'hubMirrorListen' | 'publicUrl' | 'anonymousPull' | 'anonymousImport'>):
  | string
  | undefined {
  if (anonymousPull && anonymousImport === true) return undefined;
  const place = [
    { setting: 'listen', address: listen },
    { setting: 'hubMirrorListen', address: hubMirrorListen },
  ].find(({ address }) => address !== undefined && !isLoopbackHost(address.host));
  const where =
    place?.address === undefined
      ? publicPlace(publicUrl)
      : `${place.setting}: ${formatListenAddress(place.address)}`;
  if (where === undefined) return undefined;
  const setting = anonymousPull ? `anonymousImport: ${anonymousImport}` : 'anonymousPull: false';
  return (
    `${where} is reached by other machines, but nothing new is fetched for them without a login (${setting}): they get 401, and nodes go on to the public registry; ` +
    'set anonymousImport: true to fetch what rules lead to for everyone who reaches it, or give them a key or token'
  );
}

/** A proxy in front brings other machines to a listener of loopback. */
function publicPlace(publicUrl: string): string | undefined {
  const hostname = URL.parse(publicUrl)?.hostname;
  if (hostname === undefined || isLoopbackHost(hostname)) return undefined;
  return `publicUrl: ${publicUrl}`;
}
