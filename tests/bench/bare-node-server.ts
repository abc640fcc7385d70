// A server of Node's `http` that answers every request alike: what Node can do at all on this machine.
// Started by `systems/bare-node.ts`; the answer is the first argument, as JSON; prints its port.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface BareAnswer {
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly bodyBase64: string;
}

if (import.meta.main) {
  const { headers, bodyBase64 } = JSON.parse(process.argv[2] ?? '') as BareAnswer;
  // Headers and body as one string are one write: the fastest way of answering that Node has.
  const body = Buffer.from(bodyBase64, 'base64').toString('latin1');
  const server = createServer({ keepAliveTimeout: 120_000 }, (_request, response) => {
    response.writeHead(200, [...headers]);
    response.end(body, 'latin1');
  });
  server.listen(0, '127.0.0.1', () =>
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`),
  );
}
