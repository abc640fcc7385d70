import type { Config, ListenAddress } from '../config/config.ts';
import type { Listeners } from './front-ends.ts';
import type { RunningServer } from '../http/server.ts';

/** Where a server speaks, as `run.json` and the log say it. */
export interface Addresses {
  readonly listen: string;
  readonly adminListen: string;
  readonly hubMirrorListen?: string;
}

export function addressesOf(config: Config, { main, hub, admin }: Listeners): Addresses {
  return {
    listen: urlOf(config.listen, main.port, config),
    adminListen: `http://${hostPort(config.adminListen, admin)}`,
    ...(hub === undefined || config.hubMirrorListen === undefined
      ? {}
      : { hubMirrorListen: `http://${hostPort(config.hubMirrorListen, hub)}` }),
  };
}

export function urlOf(listen: ListenAddress, port: number, config: Config): string {
  return `${config.tls === undefined ? 'http' : 'https'}://${hostPort(listen, { port })}`;
}

/** `:5000`, no host, is every address. */
function hostPort(listen: ListenAddress, { port }: Pick<RunningServer, 'port'>): string {
  if (listen.host === '') return `0.0.0.0:${port}`;
  return listen.host.includes(':') ? `[${listen.host}]:${port}` : `${listen.host}:${port}`;
}

/** What an image may begin with when it is asked of us: the listener's names and the public one. */
export function ownHosts(config: Config, listeners: Listeners | undefined): ReadonlySet<string> {
  const port = listeners?.main.port ?? config.listen.port;
  const hosts = [
    `localhost:${port}`,
    `127.0.0.1:${port}`,
    hostPort(config.listen, { port }).toLowerCase(),
  ];
  const url = URL.parse(config.publicUrl);
  return new Set(url === null ? hosts : [...hosts, url.host.toLowerCase()]);
}
