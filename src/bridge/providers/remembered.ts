/** What was answered, kept by what was asked. */
import { hash } from 'node:crypto';
import { type Room, SharedCache } from '../../lib/shared-cache.ts';
import type { Check, Spent } from '../../types/provider.ts';

export class Remembered<T extends Spent> {
  readonly #known: SharedCache<T>;

  constructor(room: Room<T>) {
    this.#known = new SharedCache(room);
  }

  /**
   * What `make` gives for the question, or gave before: that took no time and cost nothing.
   *
   * @param asked all that the answer depends on, as JSON can hold it
   * @param check what it throws at is not remembered
   */
  async get(
    asked: unknown[],
    make: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    check: Check<T> = () => {},
  ): Promise<T> {
    let isNew = false;
    const anew = async (until: AbortSignal) => {
      isNew = true;
      const made = await make(until);
      check(made);
      return made;
    };
    const answer = await this.#known.get(hash('sha256', JSON.stringify(asked)), anew, signal);
    return isNew ? answer : { ...answer, queueMs: 0, inferMs: 0, cost: 0 };
  }
}
