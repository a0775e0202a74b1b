/** Before a full line: requests that wait until there is room for all of their images. */

export interface Request {
  client: string;
  /** How many places it wants. */
  count: number;
}

export interface DoorRules {
  /** How many places a client has, in the line and behind it. */
  placesOf(client: string): number;
  /** Whether a request waits for its own client alone, and so holds up nobody else. */
  isBarred(request: Request): boolean;
  fits(request: Request): boolean;
  admit(request: Request): void;
}

interface Held extends Request {
  since: number;
  settle: (isIn: boolean) => void;
}

export class Door {
  readonly #rules: DoorRules;
  readonly #held = new Set<Held>();

  constructor(rules: DoorRules) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#held.size;
  }

  /** When the oldest that waits came; Infinity when none waits. */
  get since(): number {
    const [oldest] = this.#held;
    return oldest?.since ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the request came in, at once or by then. @throws the signal's reason */
  async wait({ client, count }: Request, patienceMs: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const held: Held = { client, count, since: performance.now(), settle: resolve };
    this.#held.add(held);
    this.open();
    if (!this.#held.has(held)) return promise;
    if (patienceMs === 0) return !this.#held.delete(held);
    const giveUp = (how: () => void) => {
      this.#held.delete(held);
      how();
      this.open();
    };
    const onAbort = () => giveUp(() => reject(signal.reason));
    const timer = setTimeout(() => giveUp(() => resolve(false)), patienceMs);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Lets in whom there is room for: of the client that has least in the line first, then in the order they came. */
  open(): void {
    const { placesOf, isBarred, fits, admit } = this.#rules;
    while (this.#held.size > 0) {
      const [next] = [...this.#held]
        .filter((held) => !isBarred(held))
        .sort((a, b) => placesOf(a.client) - placesOf(b.client));
      if (!next || !fits(next)) return;
      this.#held.delete(next);
      admit(next);
      next.settle(true);
    }
  }
}
