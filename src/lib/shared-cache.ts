/** What was made for a key, kept for whoever asks later, and made once when several ask at the same time. */
import { LRUCache } from 'lru-cache';
import { InFlight } from './in-flight.ts';

/** How many are kept, or how many bytes of them; 0: nothing is kept or shared. */
export type Room<T> = number | { bytes: number; of: (value: T) => number };

export class SharedCache<T extends {}> {
  readonly #known: LRUCache<string, T> | undefined;
  readonly #inFlight = new InFlight<T>();

  constructor(room: Room<T>) {
    const isCounted = typeof room === 'number';
    const bound = isCounted ? { max: room } : { maxSize: room.bytes, sizeCalculation: room.of };
    this.#known = (isCounted ? room : room.bytes) > 0 ? new LRUCache(bound) : undefined;
  }

  /**
   * @param make its signal aborts when nobody waits any more
   * @throws what `make` throws, or the signal's reason
   */
  async get(key: string, make: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (!this.#known) return make(signal);
    const known = this.#known.get(key);
    if (known) return known;
    const made = await this.#inFlight.share(key, make, signal);
    this.#known.set(key, made);
    return made;
  }
}
