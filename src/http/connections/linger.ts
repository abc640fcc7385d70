import type { Exchange } from '../exchange.ts';
import type { Timer } from '../timer.ts';

/** What a client still sends after an early answer is taken off the connection up to so many bytes … */
export const lingerBytesMax: number = 64 * 1024 * 1024;
/** … and for so long. Closing on unread bytes would reset the connection, and the client might never see its answer. */
export const lingerMs = 5000;

/**
 * Ends a connection whose request body was not read to its end: says that nothing more comes, lets the client send on
 * until it notices, and closes. The response is written, but not ended, so that Node does not close first.
 */
export function linger(exchange: Exchange, timer: Timer, written: () => void): void {
  const { socket } = exchange.connection;
  const late = timer.after(lingerMs, () => socket.destroy());
  socket.once('close', () => late[Symbol.dispose]());
  let bytes = 0;
  exchange.request.once('end', () => socket.destroySoon());
  exchange.discardBody((more) => {
    bytes += more;
    if (bytes > lingerBytesMax) exchange.request.pause();
  });
  socket.end(written);
}

/** Takes a small unread body off a connection that goes on; a client that does not send it in time is cut. */
export function passOver(exchange: Exchange, timer: Timer): void {
  const { request, connection } = exchange;
  exchange.discardBody();
  const late = timer.after(lingerMs, () => {
    if (!request.complete) connection.socket.destroy();
  });
  request.once('close', () => late[Symbol.dispose]());
}
