/** Whether a model elsewhere is away, by what became of the last question: who is told of a fault asks nothing. */
import { AssayError } from '../errors/error.ts';

/** How long a model that did not answer is told to be away. */
const AWAY_MS = 30_000;

export class Absence {
  #lost: { at: number; why: string } | null = null;

  /** Why it is away; null: it answered, or may be asked again. */
  get why(): string | null {
    const { at, why } = this.#lost ?? { at: Number.NEGATIVE_INFINITY, why: null };
    return performance.now() - at < AWAY_MS ? why : null;
  }

  /** Puts a question, and remembers what became of it. @throws what asking throws */
  async watch<T>(ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask();
      this.#lost = null;
      return answer;
    } catch (error) {
      const isLost = error instanceof AssayError && error.code.startsWith('ENDPOINT_');
      if (isLost) this.#lost = { at: performance.now(), why: error.message };
      throw error;
    }
  }
}
