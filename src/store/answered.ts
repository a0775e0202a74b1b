/**
 * What was answered to requests that named a key, for some minutes: a request that is sent again, because its answer was
 * lost or it was given up half way, has only the rest of it scored.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { fail } from '../errors/error.ts';
import { ERRORS, type ErrorCode } from '../errors/table.ts';
import { orAbort } from '../lib/abort.ts';
import type { PanelRequest, ScoreItem } from '../types/request.ts';
import type { ScoreResult } from '../types/result.ts';

/** How long answers are kept, and how many results of them: some 30 MB at most. */
const KEPT_MS = 10 * 60_000;
const KEPT_RESULTS = 2 ** 14;

interface Kept {
  /** What was asked, beside the pixels. */
  asked: string;
  /** One a scorer. */
  results: ScoreResult[];
}

type Score = (request: PanelRequest) => Promise<ScoreResult[][]>;

const askedOf = ({ id, prompt, group, source }: ScoreItem): string =>
  hash('sha256', JSON.stringify([id, prompt, group, source]));

/** Whether the same would come out again. */
function isSettled({ error }: ScoreResult): boolean {
  if (error === null) return true;
  return ERRORS[error.code as ErrorCode]?.kind === 'input' && error.code !== 'CANCELLED';
}

export class Answered {
  readonly #kept = new LRUCache<string, (Kept | undefined)[]>({
    ttl: KEPT_MS,
    maxSize: KEPT_RESULTS,
    sizeCalculation: (kept) =>
      Math.max(
        1,
        kept.reduce((sum, one) => sum + (one?.results.length ?? 0), 0),
      ),
  });
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #digest: (bytes: Uint8Array, signal: AbortSignal) => Promise<string>;

  /** @param digest hex sha256 of an image, as results have it */
  constructor(digest: (bytes: Uint8Array, signal: AbortSignal) => Promise<string>) {
    this.#digest = digest;
  }

  /**
   * Scores what was not scored for the request's key before; all of it when it has none.
   *
   * @throws KEY_REUSED, what `score` throws, and the signal's reason
   */
  async score(request: PanelRequest, score: Score): Promise<ScoreResult[][]> {
    const { key, scorers, policy, signal } = request;
    if (key === undefined) return score(request);
    const name = hash('sha256', JSON.stringify([key, scorers, policy]));
    while (this.#running.has(name)) await orAbort(this.#running.get(name)!, signal);
    const work = this.#rest(name, request, score);
    const settled = work.catch(() => {});
    this.#running.set(name, settled);
    try {
      return await work;
    } finally {
      this.#running.delete(name);
    }
  }

  async #rest(name: string, request: PanelRequest, score: Score): Promise<ScoreResult[][]> {
    const { items, signal } = request;
    const before = this.#kept.get(name) ?? [];
    await this.#checkSame(before, request);
    const left = items.flatMap((item, i) => (before[i] ? [] : [{ item, once: `${name} ${i}` }]));
    const part = { ...request, items: left.map(({ item }) => item), once: left.map(({ once }) => once) };
    const made = (left.length > 0 ? await score(part) : []).values();
    const all = items.map((_, i) => before[i]?.results ?? made.next().value!);
    // what was cancelled is nobody's, and was not recorded
    if (!(signal.aborted && signal.reason.code === 'CANCELLED'))
      this.#kept.set(
        name,
        all.map((results, i) =>
          results.every(isSettled) ? { asked: askedOf(items[i]!), results } : undefined,
        ),
      );
    return all;
  }

  async #checkSame(before: (Kept | undefined)[], { key, items, signal }: PanelRequest): Promise<void> {
    const other = (what: string) => fail('KEY_REUSED', { key: key!, what });
    if (before.length > 0 && before.length !== items.length)
      throw other(`${before.length} images, and now ${items.length}`);
    for (const [i, item] of items.entries()) {
      const kept = before[i];
      if (!kept) continue;
      if (kept.asked !== askedOf(item)) throw other(`another id, prompt, group or source in items[${i}]`);
      const [known] = kept.results;
      if (known!.sha256 === null) continue;
      const { bytes } = await item.fetch(signal);
      if ((await this.#digest(bytes, signal)) !== known!.sha256) throw other(`another image in items[${i}]`);
    }
  }
}
