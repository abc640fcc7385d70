import { createRequire } from 'node:module';
import type * as undici from 'undici';

// The package's index loads fetch, WebSocket, caches and mocks too: three megabytes of an idle server (decisions/004-memory.md).
const require = createRequire(import.meta.url);

export const Client: typeof undici.Client = require('undici/lib/dispatcher/client.js');
export const Pool: typeof undici.Pool = require('undici/lib/dispatcher/pool.js');

/** Of the whole package, which a proxy alone needs: its agent calls methods that the index adds to the others. */
export function createProxyAgent(options: undici.ProxyAgent.Options): undici.ProxyAgent {
  const { ProxyAgent } = require('undici') as typeof undici;
  return new ProxyAgent(options);
}
