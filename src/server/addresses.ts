import type { Config } from '../config/config.ts';
import { dialable, hostPort, urlOf } from '../domain/names/server-url.ts';
import type { Listeners } from './front-ends.ts';

/** Where a server speaks, as `run.json` and the log say it. */
export interface Addresses {
  readonly listen: string;
  readonly adminListen: string;
  readonly hubMirrorListen?: string;
}

export function addressesOf(config: Config, { main, hub, admin }: Listeners): Addresses {
  return {
    listen: urlOf(config.listen.host, main.port, config.tls !== undefined),
    adminListen: urlOf(config.adminListen.host, admin.port, false),
    ...(hub === undefined || config.hubMirrorListen === undefined
      ? {}
      : { hubMirrorListen: urlOf(config.hubMirrorListen.host, hub.port, false) }),
  };
}

/** Of `dataDir/credentials`: an address that clients on this machine can dial; the port is the listener's once there is one. */
export function endpointUrl(config: Config, listeners: Listeners | undefined): string {
  const { publicUrl, listen, tls } = config;
  if (publicUrl !== '') return publicUrl;
  return dialable(urlOf(listen.host, listeners?.main.port ?? listen.port, tls !== undefined));
}

/** What an image may begin with when it is asked of us: the listener's names and the public one. */
export function ownHosts(config: Config, listeners: Listeners | undefined): ReadonlySet<string> {
  const port = listeners?.main.port ?? config.listen.port;
  const hosts = [
    `localhost:${port}`,
    `127.0.0.1:${port}`,
    hostPort(config.listen.host, port).toLowerCase(),
  ];
  const url = URL.parse(config.publicUrl);
  return new Set(url === null ? hosts : [...hosts, url.host.toLowerCase()]);
}
