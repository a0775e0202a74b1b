/**
 * An endpoint as it is found to be: so many questions at once; what passes is waited for; what it does not know is left
 * out from then on.
 */
import type { AssayError } from '../../errors/error.ts';
import { FairQueue } from '../../lib/fair-queue.ts';
import type { Spent } from '../../types/provider.ts';
import { patiently } from './patience.ts';

/** What an endpoint may not know, and what it says then. */
export interface OptionalField<F extends string> {
  field: F;
  says: RegExp;
}

export interface EndpointOptions<F extends string> {
  /** In the order of leaving out. */
  optional: readonly OptionalField<F>[];
  /** Most questions at once; without bound when absent. */
  concurrency?: number;
  /** First pause before a question is sent again. */
  retryMs?: number | undefined;
  /** How often one is sent that the endpoint has no place for. */
  busyTries?: number;
}

/** Some deny what a model does not have as they deny a wrong key. */
const UNKNOWING: ReadonlySet<string> = new Set(['ENDPOINT_UNFIT', 'ENDPOINT_DENIED']);

export class Endpoint<F extends string> {
  readonly #options: EndpointOptions<F>;
  readonly #places: FairQueue;
  readonly #lacking = new Set<F>();

  constructor(options: EndpointOptions<F>) {
    this.#options = options;
    const { concurrency = Number.POSITIVE_INFINITY } = options;
    this.#places = new FairQueue(() => concurrency, Number.POSITIVE_INFINITY);
  }

  /** Whether it was found not to know a field. */
  lacks(field: F): boolean {
    return this.#lacking.has(field);
  }

  /**
   * Sends until there is an answer.
   *
   * @param send makes the question anew each time, by what is lacking
   * @throws what `send` throws at last, and the signal's reason
   */
  async exchange<T>(
    send: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ reply: T } & Pick<Spent, 'queueMs' | 'inferMs'>> {
    const { retryMs, busyTries } = this.#options;
    const start = performance.now();
    const leave = await this.#places.enter('', signal);
    const queueMs = performance.now() - start;
    try {
      let known = 0;
      const adapt = (error: AssayError) => this.#adapt(error, known);
      const attempt = () => {
        known = this.#lacking.size;
        return send();
      };
      const reply = await patiently(attempt, { retryMs, ...(busyTries && { busyTries }), adapt }, signal);
      return { reply, queueMs, inferMs: performance.now() - start - queueMs };
    } finally {
      leave();
    }
  }

  /**
   * Leaves out what the endpoint says it does not know; false when that is not what it says.
   *
   * @param known how many fields were left out of the question: another one may have taught more since
   */
  #adapt({ code, message }: AssayError, known: number): boolean {
    if (!UNKNOWING.has(code)) return false;
    const said = this.#options.optional.filter(({ says }) => says.test(message));
    if (said.length > 0 && known < this.#lacking.size) return true;
    const unknown = said.find(({ field }) => !this.#lacking.has(field));
    if (!unknown) return false;
    this.#lacking.add(unknown.field);
    return true;
  }
}
