/** What was told of a watch, so that nothing is told over and over. */
import type { WatchedImage } from './ports.ts';

/** The same trouble is not told again within this time. */
const QUIET_MS = 60_000;
/** Files left alone for the same reason that are told one by one; the others are counted. */
const TOLD_LEFT = 3;

export class Told {
  /** Rows whose action is tried again. */
  readonly #pending = new Set<number>();
  readonly #left = new Map<string, number>();
  readonly #troubles = new Map<string, number>();

  /** `new`: told for the first time; `ended`: its action has come to an end since; null: nothing is new. */
  image({ output }: WatchedImage): 'new' | 'ended' | null {
    const isKnown = this.#pending.has(output.id);
    if (output.state === 'pending') this.#pending.add(output.id);
    else this.#pending.delete(output.id);
    if (!isKnown) return 'new';
    return output.state === 'pending' ? null : 'ended';
  }

  /** Whether a file that is left alone is named, and whether it is the last one of its reason that is. */
  left(reason: string): 'yes' | 'last' | 'no' {
    const times = (this.#left.get(reason) ?? 0) + 1;
    this.#left.set(reason, times);
    if (times > TOLD_LEFT) return 'no';
    return times === TOLD_LEFT ? 'last' : 'yes';
  }

  /** Files left alone, by reason. */
  get leftAlone(): ReadonlyMap<string, number> {
    return this.#left;
  }

  /** Whether a trouble is told. */
  trouble(code: string): boolean {
    const last = this.#troubles.get(code) ?? Number.NEGATIVE_INFINITY;
    if (performance.now() - last < QUIET_MS) return false;
    this.#troubles.set(code, performance.now());
    return true;
  }
}
