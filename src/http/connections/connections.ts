import type { Socket } from 'node:net';
import { isLoopbackAddress } from '../../domain/names/ip-address.ts';
import { repeat } from '../../coordination/repeat.ts';
import type { Connection } from '../exchange.ts';
import type { ProgressLimits } from '../progress.ts';
import type { Timer } from '../timer.ts';

/** The open connections of one listener, and what ends them. */
export interface Connections {
  /** An exchange is told when its socket closes. */
  readonly add: (socket: Socket, secure: boolean) => Connection;
  readonly of: (socket: Socket) => Connection | undefined;
  /** Requests whose replies are not out. */
  readonly inFlight: () => number;
  /** From now on a connection ends with its last reply; idle ones end at once. */
  readonly stop: () => void;
  readonly stopping: () => boolean;
  readonly destroyAll: () => void;
  /** Resolves once stopped and without connections. */
  readonly gone: Promise<void>;
}

/** How often slow clients are looked for. */
const sweepMs = 5000;

export function createConnections(timer: Timer, limits: ProgressLimits): Connections {
  const open = new Map<Socket, Connection>();
  const gone = Promise.withResolvers<void>();
  let stopping = false;

  const closed = (connection: Connection): void => {
    open.delete(connection.socket);
    // A copy: each that ends takes itself out.
    const running = [...connection.exchanges];
    for (const exchange of running) {
      exchange.close();
      exchange.end(false);
    }
    if (stopping && open.size === 0) gone.resolve();
  };
  const sweep = (): void => {
    const nowMs = timer.elapsed();
    for (const { socket, exchanges } of open.values()) {
      // Only the first in line can move bytes.
      if (exchanges[0]?.progress.tooSlow(nowMs, limits) === true) socket.destroy();
    }
    if (stopping && open.size === 0) sweeping[Symbol.dispose]();
  };
  const sweeping = repeat(timer, sweepMs, sweep);

  return {
    add: (socket, secure) => {
      const clientAddress = socket.remoteAddress ?? '';
      const connection: Connection = {
        socket,
        clientAddress,
        secure,
        isLoopback: isLoopbackAddress(clientAddress),
        ownHost: undefined,
        ends: false,
        exchanges: [],
      };
      open.set(socket, connection);
      socket.once('close', () => closed(connection));
      return connection;
    },
    of: (socket) => open.get(socket),
    inFlight: () => {
      let count = 0;
      for (const { exchanges } of open.values()) count += exchanges.length;
      return count;
    },
    stop: () => {
      stopping = true;
      if (open.size === 0) gone.resolve();
      for (const { socket, exchanges } of open.values())
        if (exchanges.length === 0) socket.destroySoon();
    },
    stopping: () => stopping,
    destroyAll: () => {
      for (const socket of open.keys()) socket.destroy();
    },
    gone: gone.promise,
  };
}
