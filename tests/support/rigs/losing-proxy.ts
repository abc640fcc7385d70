import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a client sent through it. */
export interface PassedRequest {
  readonly target: string;
  readonly invocation: string;
  /** `attempt=1; max=3` */
  readonly attempt: string;
  readonly lost: boolean;
}

export interface LosingProxy extends AsyncDisposable {
  readonly url: string;
  readonly passed: PassedRequest[];
}

/**
 * A proxy on loopback that passes requests on as they are, and loses the answer to the first attempt of each call: the server has done it,
 * and the client's connection breaks. `lost` is waited for before that.
 */
export async function startLosingProxy(
  target: () => string,
  lost: () => Promise<void> = async () => {},
): Promise<LosingProxy> {
  const passed: PassedRequest[] = [];
  const seen = new Set<string>();
  // A connection of its own for each: the server may be another one by the next.
  const agent = new Agent({ keepAlive: false });
  const server = createServer((incoming, reply) => {
    const { headers } = incoming;
    const invocation = String(headers['amz-sdk-invocation-id'] ?? '');
    const isFirst = invocation !== '' && !seen.has(invocation);
    seen.add(invocation);
    passed.push({
      target: String(headers['x-amz-target'] ?? ''),
      invocation,
      attempt: String(headers['amz-sdk-request'] ?? ''),
      lost: isFirst,
    });
    const { hostname, port } = new URL(target());
    const { method, url: path } = incoming;
    const to = { hostname, port, method, path, agent, headers: incoming.rawHeaders };
    const onward = request({ ...to, setDefaultHeaders: false }, (answer) => {
      if (!isFirst) {
        reply.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
        answer.pipe(reply);
        return;
      }
      answer.resume();
      answer.once('end', () => void lost().finally(() => incoming.socket.destroy()));
    });
    onward.once('error', () => incoming.socket.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    passed,
    async [Symbol.asyncDispose]() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
