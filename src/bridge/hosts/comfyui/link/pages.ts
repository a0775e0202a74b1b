/** Reads a long history in pages that fit into an answer: every run carries its whole workflow, with what is in it. */
import { fail } from '../../../../errors/error.ts';
import { TooMuch } from '../../link/http.ts';

/** By id, in the order of the host; null for an entry that could not be read. */
export type Page<T> = Map<string, T | null>;

interface Source<T> {
  /** @throws TooMuch */
  ask(path: string, limit: number, signal: AbortSignal): Promise<Page<T>>;
  /** Largest answer that may be read for one run. */
  maxBytes: number;
  url: string;
  /** A run is passed over that is larger than that; told once of each. */
  onTooLarge(): void;
}

export interface Pages<T> {
  one(path: string, signal: AbortSignal): Promise<Page<T>>;
  /** Fewer where that many are too much for one answer. */
  newest(count: number, signal: AbortSignal): Promise<Page<T>>;
  all(signal: AbortSignal): Promise<Page<T>>;
}

const MOST_RUNS = 200;
/** An answer of several runs is read as one text: larger ones would hold up everything else. */
const PAGE_BYTES = 32 * 2 ** 20;
/** Pages that fit, before larger ones are tried: the host works for each in vain. */
const PATIENCE = 8;

/** An answer begins with the id of its first run. */
const ID = /^\s*\{\s*"((?:[^"\\]|\\.)*)"/;

export function createPages<T>({ ask, maxBytes, url, onTooLarge }: Source<T>): Pages<T> {
  /** How many runs are asked for at most, and how many pages of that size have fitted in a row. */
  let [size, fitted] = [MOST_RUNS, 0];
  const tooLarge = new Set<string>();
  /** What was read last. */
  let last: Page<T> | undefined;

  const limitFor = (runs: number): number => (runs === 1 ? maxBytes : Math.min(PAGE_BYTES, maxBytes));

  function grow(): void {
    if (++fitted < PATIENCE) return;
    fitted = 0;
    size = Math.min(MOST_RUNS, 2 * size);
  }

  /** A page, made smaller until it fits; null for a single run that is too large, with whether it is a new one. */
  async function fitting(wanted: number, rest: string, signal: AbortSignal) {
    for (let runs = Math.min(wanted, size); ; runs = Math.ceil(runs / 2)) {
      try {
        const page = await ask(`/history?max_items=${runs}${rest}`, limitFor(runs), signal);
        grow();
        return { runs, page, isNew: false };
      } catch (error) {
        if (!(error instanceof TooMuch)) throw error;
        if (runs === 1) return { runs, page: null, isNew: note(error) };
        [size, fitted] = [Math.ceil(runs / 2), 0];
      }
    }
  }

  function note({ head, bytes }: TooMuch): boolean {
    const id = ID.exec(head)?.[1] ?? `${bytes}`;
    if (tooLarge.has(id)) return false;
    tooLarge.add(id);
    onTooLarge();
    return true;
  }

  async function all(signal: AbortSignal): Promise<Page<T>> {
    const found: Page<T> = new Map();
    for (let offset = 0; ; ) {
      const { runs, page } = await fitting(MOST_RUNS, `&offset=${offset}`, signal);
      offset += runs;
      if (!page) continue;
      const known = found.size;
      for (const [id, run] of page) found.set(id, run);
      if (page.size < runs) return found;
      // A host that does not know `offset` tells the newest again and again.
      if (found.size === known) return ask('/history', maxBytes, signal);
    }
  }

  return {
    async all(signal) {
      last = await all(signal);
      return last;
    },
    one: (path, signal) =>
      ask(path, maxBytes, signal).catch((error) => {
        if (!(error instanceof TooMuch)) throw error;
        throw fail('HOST_FAILED', { url, reason: error.message }, { cause: error });
      }),
    async newest(count, signal) {
      const { page, isNew } = await fitting(count, '', signal);
      // Behind one that is too large, others may be new: that is seen in the whole alone, and once is enough.
      last = page ?? (last && !isNew ? last : await all(signal));
      return last;
    },
  };
}
