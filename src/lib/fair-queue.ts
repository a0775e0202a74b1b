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

/** A pause after which a full queue has moved on: at least, at most, and while nothing is known of its pace. */
const RETRY_AFTER_MS = { least: 1000, most: 60_000 };
/** Weight of one image in the running average of the time inside. */
const NEWS = 0.05;

/** How many of something each client has; a client without any takes no memory. */
class Counts {
  readonly #counts = new Map<string, number>();
  /** Of all clients. */
  total = 0;

  of(client: string): number {
    return this.#counts.get(client) ?? 0;
  }

  add(client: string, count: number): void {
    const sum = this.of(client) + count;
    this.total += count;
    if (sum > 0) this.#counts.set(client, sum);
    else this.#counts.delete(client);
  }
}

export class FairQueue {
  readonly #width: () => number;
  readonly #maxWaiting: number;
  readonly #maxOwn: number;
  readonly #door: Door;
  /** Insertion order is the order of turns: a client that was served goes to the end. */
  readonly #lines = new Map<string, Ticket[]>();
  readonly #booked = new Counts();
  readonly #inside = new Counts();
  #waiting = 0;
  #serviceMs = 0;

  /**
   * @param width most that are inside; it may change
   * @param maxWaiting most that wait
   * @param maxOwn most that wait of one client
   */
  constructor(width: () => number, maxWaiting: number, maxOwn = maxWaiting) {
    this.#width = width;
    this.#maxWaiting = maxWaiting;
    this.#maxOwn = maxOwn;
    this.#door = new Door({
      placesOf: (client) => this.#inLine(client) + this.#inside.of(client),
      isBarred: ({ client, count }) => !this.#fitsClient(client, count),
      fits: ({ count }) => this.#fitsLine(count),
      admit: ({ client, count }) => this.#booked.add(client, count),
    });
  }

  get waiting(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#inside.total;
  }

  get pressure(): Pressure {
    const since = Math.min(this.#door.since, ...[...this.#lines.values()].map(([first]) => first!.since));
    const oldestMs = Number.isFinite(since) ? performance.now() - since : 0;
    return { held: this.#door.size, oldestMs, serviceMs: this.#serviceMs };
  }

  /**
   * Takes a request as a whole rather than in parts.
   *
   * @param patienceMs how long it may wait for room
   * @throws BUSY or CLIENT_BUSY when there is none by then, TOO_MANY_IMAGES when there never would be, the signal's reason
   */
  async book(client: string, count: number, patienceMs: number, signal: AbortSignal): Promise<Booking> {
    const limit = this.#width() + Math.min(this.#maxOwn, this.#maxWaiting);
    if (count > limit) throw fail('TOO_MANY_IMAGES', { count, limit });
    const isIn = await this.#door.wait({ client, count }, patienceMs, signal);
    if (!isIn) throw this.#full(client, count);
    return { enter: (until) => this.#enterBooked(client, until) };
  }

  /** Waits for a place; what it returns gives the place back. @throws the signal's reason */
  async enter(client: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ticket: Ticket = { since: performance.now(), admit: resolve };
    // at once: a ticket that nobody waits for any more must not be admitted
    const onAbort = () => {
      this.#leave(client, ticket);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#join(client, ticket);
    try {
      await promise;
      return this.#exit(client);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #enterBooked(client: string, signal: AbortSignal): Promise<() => void> {
    this.#booked.add(client, -1);
    const entered = this.enter(client, signal);
    if (signal.aborted) this.#door.open();
    return entered;
  }

  #join(client: string, ticket: Ticket): void {
    const line = this.#lines.get(client);
    if (line) line.push(ticket);
    else this.#lines.set(client, [ticket]);
    this.#waiting++;
    this.#admitNext();
  }

  #leave(client: string, ticket: Ticket): void {
    const line = this.#lines.get(client) ?? [];
    const rest = line.filter((t) => t !== ticket);
    if (rest.length < line.length) this.#waiting--;
    if (rest.length > 0) this.#lines.set(client, rest);
    else this.#lines.delete(client);
    this.#door.open();
  }

  #admitNext(): void {
    while (this.running < this.#width() && this.#waiting > 0) {
      const [client, line] = this.#lines.entries().next().value!;
      const ticket = line.shift()!;
      this.#waiting--;
      this.#inside.add(client, 1);
      this.#lines.delete(client);
      if (line.length > 0) this.#lines.set(client, line);
      ticket.admit();
    }
    this.#door.open();
  }

  /** What gives the place back, once. */
  #exit(client: string): () => void {
    const since = performance.now();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#inside.add(client, -1);
      this.#serviceMs += (this.#serviceMs === 0 ? 1 : NEWS) * (performance.now() - since - this.#serviceMs);
      this.#admitNext();
    };
  }

  #inLine(client: string): number {
    return (this.#lines.get(client)?.length ?? 0) + this.#booked.of(client);
  }

  get #free(): number {
    return Math.max(0, this.#width() - this.running);
  }

  #fitsLine(count: number): boolean {
    return this.#waiting + this.#booked.total + count <= this.#free + this.#maxWaiting;
  }

  #fitsClient(client: string, count: number): boolean {
    return this.#inLine(client) + count <= this.#free + this.#maxOwn;
  }

  #full(client: string, count: number): AssayError {
    const { least, most } = RETRY_AFTER_MS;
    const drainMs = Math.round((this.#waiting * this.#serviceMs) / this.#width());
    const retryAfterMs = Math.min(most, Math.max(least, drainMs));
    return this.#fitsClient(client, count)
      ? fail('BUSY', { waiting: this.#waiting }, { retryAfterMs })
      : fail('CLIENT_BUSY', { waiting: this.#inLine(client), limit: this.#maxOwn }, { retryAfterMs });
  }
}
