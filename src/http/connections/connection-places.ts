import type { Socket } from 'node:net';
import { sourceOf } from '../../domain/names/client-source.ts';
import type { Connection } from '../exchange.ts';

/** At most so many connections of a listener, shared out by client address: where all are taken, whoever has most gives one up. */
export interface ConnectionPlaces {
  /**
   * A socket has connected; over TLS the one below it. Somebody's is closed where there are too many, its own perhaps. The
   * address is asked for at once, so that it stays known when the client has left.
   */
  readonly take: (socket: Socket) => void;
  /** What became of it: from now on requests can be under way. */
  readonly settle: (connection: Connection) => void;
}

interface Place {
  readonly socket: Socket;
  readonly source: string;
  /** Absent during a TLS handshake. */
  connection: Connection | undefined;
}

/** `full` is told whose connection was closed. */
export function createConnectionPlaces(
  connectionsMax: number,
  full: (clientAddress: string) => void,
): ConnectionPlaces {
  const places = new Map<string, Place>();
  /** In the order in which they came. */
  const bySource = new Map<string, Set<Place>>();

  const leave = (key: string, place: Place): void => {
    if (places.get(key) !== place) return;
    places.delete(key);
    const others = bySource.get(place.source);
    others?.delete(place);
    if (others?.size === 0) bySource.delete(place.source);
  };
  const end = (place: Place): void => {
    leave(keyOf(place.socket), place);
    place.connection?.socket.destroy();
    place.socket.destroy();
  };
  /** Of those who have most; the newcomer's own where it has as many. */
  const largest = (newcomer: Place): ReadonlySet<Place> => {
    let most: ReadonlySet<Place> = bySource.get(newcomer.source) ?? new Set();
    for (const each of bySource.values()) if (each.size > most.size) most = each;
    return most;
  };
  /**
   * The oldest connection of the largest share that has no request under way; where all have, the last that came: the newcomer
   * itself in its own share.
   */
  const surplus = (newcomer: Place): Place => {
    let last = newcomer;
    for (const place of largest(newcomer)) {
      if (place !== newcomer && isIdle(place)) return place;
      last = place;
    }
    return last;
  };

  return {
    take: (socket) => {
      const place: Place = {
        socket,
        source: sourceOf(socket.remoteAddress ?? ''),
        connection: undefined,
      };
      const key = keyOf(socket);
      places.set(key, place);
      const mine = bySource.get(place.source);
      if (mine === undefined) bySource.set(place.source, new Set([place]));
      else mine.add(place);
      socket.once('close', () => leave(key, place));
      if (places.size <= connectionsMax) return;
      const closed = surplus(place);
      full(closed.socket.remoteAddress ?? '');
      end(closed);
    },
    settle: (connection) => {
      const place = places.get(keyOf(connection.socket));
      if (place !== undefined) place.connection = connection;
    },
  };
}

/** Between requests, in the middle of a head that is not whole, or in a TLS handshake. */
function isIdle({ connection }: Place): boolean {
  return connection === undefined || connection.exchanges.length === 0;
}

/** The same for a TLS socket and the one below it. */
function keyOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
