/** One piece of work for everyone who asks for it meanwhile. */
export interface SharedFlights<Value> {
  /** Starts the work or joins it. Each waiter leaves by its own signal; the work is aborted when the last has left. */
  join(
    key: string,
    work: (signal: AbortSignal) => Promise<Value>,
    signal: AbortSignal,
  ): Promise<Value>;
}

interface Flight<Value> {
  readonly landed: Promise<Value>;
  readonly controller: AbortController;
  waiters: number;
}

export function createSharedFlights<Value>(): SharedFlights<Value> {
  const flights = new Map<string, Flight<Value>>();

  const start = (key: string, work: (signal: AbortSignal) => Promise<Value>): Flight<Value> => {
    const controller = new AbortController();
    const landed = work(controller.signal);
    const flight = { landed, controller, waiters: 0 };
    const forget = (): void => void (flights.get(key) === flight && flights.delete(key));
    landed.then(forget, forget);
    flights.set(key, flight);
    return flight;
  };

  return {
    async join(key, work, signal) {
      signal.throwIfAborted();
      const flight = flights.get(key) ?? start(key, work);
      flight.waiters += 1;
      const left = Promise.withResolvers<never>();
      const leave = (): void => left.reject(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
      try {
        return await Promise.race([flight.landed, left.promise]);
      } finally {
        signal.removeEventListener('abort', leave);
        flight.waiters -= 1;
        if (flight.waiters === 0) {
          // A no-op where the work has ended; a newcomer must not join what is being aborted.
          if (flights.get(key) === flight) flights.delete(key);
          flight.controller.abort(new Error('nobody waits any more'));
        }
      }
    },
  };
}
