/**
 * The one line in which images of all clients wait: bounded, and fair per client.
 *
 * At most `width` images are inside (decoding, waiting for a batch or in one); the others hold no memory but their
 * request. Whoever leaves lets in the next, one client after the other, so a client with one image does not wait
 * for a client with a thousand. A request that finds no room may wait for it before the door; there, too, the client
 * that has least in the line comes first.
 */
import { type AssayError, fail } from '../errors/error.ts';
import { Door } from './door.ts';

interface Ticket {
  since: number;
  admit: () => void;
}

/** Places in the line for the images of one request. */
export interface Booking {
  /** Waits for its turn, once for each place; what it returns gives the place back. @throws the signal's reason */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** How full the line is, for metrics. */
export interface Pressure {
  /** Requests that wait for room in the line. */
  held: number;
  /** Milliseconds that the oldest image or request has waited; 0 when none waits. */
  oldestMs: number;
  /** Milliseconds that an image is inside, on a running average; 0 before the first. */
  serviceMs: number;
}

export interface FairQueue {
  /**
   * Takes a request as a whole rather than in parts.
   *
   * @param patienceMs how long it may wait for room
   * @throws BUSY or CLIENT_BUSY when there is none by then, TOO_MANY_IMAGES when there never would be, the signal's reason
   */
  book(client: string, count: number, patienceMs: number, signal: AbortSignal): Promise<Booking>;
  /** Waits for a place; what it returns gives the place back. @throws the signal's reason */
  enter(client: string, signal: AbortSignal): Promise<() => void>;
  readonly waiting: number;
  readonly running: number;
  readonly pressure: Pressure;
}

/** A pause after which a full queue has moved on: at least, at most, and while nothing is known of its pace. */
const RETRY_AFTER_MS = { least: 1000, most: 60_000 };
/** Weight of one image in the running average of the time inside. */
const NEWS = 0.05;

function add(counts: Map<string, number>, client: string, count: number): void {
  const sum = (counts.get(client) ?? 0) + count;
  if (sum > 0) counts.set(client, sum);
  else counts.delete(client);
}

/**
 * @param width most that are inside; it may change
 * @param maxWaiting most that wait
 * @param maxOwn most that wait of one client
 */
export function createFairQueue(width: () => number, maxWaiting: number, maxOwn = maxWaiting): FairQueue {
  // Insertion order is the order of turns: a client that was served goes to the end.
  const lines = new Map<string, Ticket[]>();
  const booked = new Map<string, number>();
  const inside = new Map<string, number>();
  let serviceMs = 0;
  let waiting = 0;
  let running = 0;

  const sum = (counts: Iterable<number>): number => [...counts].reduce((a, b) => a + b, 0);
  const inLine = (client: string): number => (lines.get(client)?.length ?? 0) + (booked.get(client) ?? 0);
  const free = (): number => Math.max(0, width() - running);
  const fitsLine = (count: number): boolean => waiting + sum(booked.values()) + count <= free() + maxWaiting;
  const fitsClient = (client: string, count: number): boolean => inLine(client) + count <= free() + maxOwn;

  const door = new Door({
    placesOf: (client) => inLine(client) + (inside.get(client) ?? 0),
    isBarred: ({ client, count }) => !fitsClient(client, count),
    fits: ({ count }) => fitsLine(count),
    admit: ({ client, count }) => add(booked, client, count),
  });

  const retryAfterMs = (): number => {
    const { least, most } = RETRY_AFTER_MS;
    return Math.min(most, Math.max(least, Math.round((waiting * serviceMs) / width())));
  };

  const full = (client: string, count: number): AssayError =>
    fitsClient(client, count)
      ? fail('BUSY', { waiting }, { retryAfterMs: retryAfterMs() })
      : fail('CLIENT_BUSY', { waiting: inLine(client), limit: maxOwn }, { retryAfterMs: retryAfterMs() });

  const leave = (client: string, ticket: Ticket): void => {
    const line = lines.get(client) ?? [];
    const rest = line.filter((t) => t !== ticket);
    if (rest.length < line.length) waiting--;
    if (rest.length > 0) lines.set(client, rest);
    else lines.delete(client);
    door.open();
  };

  const admitNext = (): void => {
    while (running < width() && waiting > 0) {
      const [client, line] = lines.entries().next().value!;
      const ticket = line.shift()!;
      waiting--;
      running++;
      add(inside, client, 1);
      lines.delete(client);
      if (line.length > 0) lines.set(client, line);
      ticket.admit();
    }
    door.open();
  };

  const exit = (client: string): (() => void) => {
    const since = performance.now();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      running--;
      add(inside, client, -1);
      const ms = performance.now() - since;
      serviceMs += (serviceMs === 0 ? 1 : NEWS) * (ms - serviceMs);
      admitNext();
    };
  };

  async function enter(client: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ticket: Ticket = { since: performance.now(), admit: resolve };
    // at once: a ticket that nobody waits for any more must not be admitted
    const onAbort = () => {
      leave(client, ticket);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const line = lines.get(client);
    if (line) line.push(ticket);
    else lines.set(client, [ticket]);
    waiting++;
    admitNext();
    try {
      await promise;
      return exit(client);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  return {
    async book(client, count, patienceMs, signal) {
      const limit = width() + Math.min(maxOwn, maxWaiting);
      if (count > limit) throw fail('TOO_MANY_IMAGES', { count, limit });
      const isIn = await door.wait({ client, count }, patienceMs, signal);
      if (!isIn) throw full(client, count);
      return {
        enter(until) {
          add(booked, client, -1);
          const entered = enter(client, until);
          if (until.aborted) door.open();
          return entered;
        },
      };
    },
    enter,
    get waiting() {
      return waiting;
    },
    get running() {
      return running;
    },
    get pressure() {
      const since = Math.min(door.since, ...[...lines.values()].map(([first]) => first!.since));
      const oldestMs = Number.isFinite(since) ? performance.now() - since : 0;
      return { held: door.size, oldestMs, serviceMs };
    },
  };
}
