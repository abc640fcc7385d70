import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/** An HTTP proxy on loopback that tunnels (RFC 9110, section 9.3.6), to anywhere it is told. */
export interface ConnectProxy {
  readonly url: string;
  /** Tunnels that were opened so far. */
  tunnels(): number;
  close(): void;
}

export async function startConnectProxy(): Promise<ConnectProxy> {
  const open = new Set<Duplex>();
  let tunnels = 0;
  const server = createServer((_request, response) => void response.writeHead(405).end());
  server.on('connect', (request, client) => {
    tunnels += 1;
    const [host = '', port] = (request.url ?? '').split(':');
    const there = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      there.pipe(client);
      client.pipe(there);
    });
    for (const [one, other] of [
      [client, there],
      [there, client],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => open.delete(one));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels: () => tunnels,
    close: () => {
      server.close();
      server.closeAllConnections();
      for (const each of open) each.destroy();
    },
  };
}
