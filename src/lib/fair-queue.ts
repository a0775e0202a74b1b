/**
 * The one line in which images of all clients wait: bounded, and fair per client.
 *
 * At most `width` images are inside (decoding, waiting for a batch or in one); the others hold no memory but their
 * request. Whoever leaves lets in the next, one client after the other, so a client with one image does not wait
 * for a client with a thousand.
 */
import { fail } from '../errors/error.ts';

interface Ticket {
  admit: () => void;
}

export interface FairQueue {
  /**
   * Refuses a request as a whole rather than in parts.
   *
   * @throws BUSY when `count` more would be too many now, TOO_MANY_IMAGES when they always would
   */
  checkRoom(count: number): void;
  /** Waits for a place; what it returns gives the place back. @throws the signal's reason */
  enter(client: string, signal: AbortSignal): Promise<() => void>;
  readonly waiting: number;
  readonly running: number;
}

/** A rough pause after which a full queue has moved on. */
const RETRY_AFTER_MS = 1000;

export function createFairQueue(width: number, maxWaiting: number): FairQueue {
  // Insertion order is the order of turns: a client that was served goes to the end.
  const lines = new Map<string, Ticket[]>();
  let waiting = 0;
  let running = 0;

  const leave = (client: string, ticket: Ticket): void => {
    const line = lines.get(client) ?? [];
    const rest = line.filter((t) => t !== ticket);
    if (rest.length < line.length) waiting--;
    if (rest.length > 0) lines.set(client, rest);
    else lines.delete(client);
  };

  const admitNext = (): void => {
    while (running < width && waiting > 0) {
      const [client, line] = lines.entries().next().value!;
      const ticket = line.shift()!;
      waiting--;
      running++;
      lines.delete(client);
      if (line.length > 0) lines.set(client, line);
      ticket.admit();
    }
  };

  const exit = (): (() => void) => {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      running--;
      admitNext();
    };
  };

  return {
    checkRoom(count) {
      const limit = width + maxWaiting;
      if (count > limit) throw fail('TOO_MANY_IMAGES', { count, limit });
      if (waiting + count > Math.max(0, width - running) + maxWaiting)
        throw fail('BUSY', { waiting }, { retryAfterMs: RETRY_AFTER_MS });
    },
    async enter(client, signal) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const ticket: Ticket = { admit: resolve };
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
        return exit();
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
    get waiting() {
      return waiting;
    },
    get running() {
      return running;
    },
  };
}
