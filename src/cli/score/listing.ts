/** The results as they are printed: as they come in the order of the files, or sorted at the end. */

import { counted } from '../../lib/words.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { Format, Sort } from '../input/flags.ts';
import { printer } from '../terminal/printer.ts';
import { RESULTS } from '../terminal/results.ts';
import { ranking } from './order.ts';

export interface ListingOptions {
  format: Format;
  sort?: Sort;
  top?: number;
  /** Given: what is listed is kept for it. */
  copyTop?: string;
  /** Whether a CSV begins with its header. */
  header: boolean;
  isShown: (result: ScoreResult) => boolean;
}

export interface Listing {
  /** A result that stands above all others. */
  first(result: ScoreResult): void;
  add(index: number, result: ScoreResult): void;
  /** @param more what is to be said beside the results, where the format has room for it */
  end(more: { notes: string[]; [key: string]: unknown }): { shown: ScoreResult[]; notes: string[] };
}

/** Passes results on in the order of their indexes, as soon as all before them are there. */
function inOrder(emit: (result: ScoreResult) => void) {
  const early = new Map<number, ScoreResult>();
  let next = 0;
  return {
    add(index: number, result: ScoreResult) {
      early.set(index, result);
      for (let ready = early.get(next); ready; ready = early.get(next)) {
        early.delete(next++);
        emit(ready);
      }
    },
    /** What waits for results that will not come. */
    flush() {
      for (const index of [...early.keys()].sort((a, b) => a - b)) emit(early.get(index)!);
      early.clear();
    },
  };
}

export function openListing(out: NodeJS.WriteStream, options: ListingOptions): Listing {
  const { format, sort, top, copyTop, header, isShown } = options;
  const print = printer(format, RESULTS, out, { header });
  const isRanked = [sort, top, copyTop].some((flag) => flag !== undefined);
  const ranked = isRanked ? ranking(sort ?? 'reward', top) : undefined;
  let hidden = 0;
  let total = 0;
  /** Rewards of images with and without an alignment in them. */
  const rewards = { with: 0, without: 0 };
  const emit = (result: ScoreResult) => {
    total++;
    if (result.reward !== null) rewards[result.aspects?.alignment ? 'with' : 'without']++;
    if (!isShown(result)) hidden++;
    else if (ranked) ranked.add(result);
    else print.add(result);
  };
  const order = inOrder(emit);
  return {
    first: print.add,
    add: order.add,
    end(more) {
      order.flush();
      const best = ranked?.best() ?? [];
      for (const result of best) print.add(result);
      const notes: string[] = [];
      if (hidden > 0)
        notes.push(`not listed: ${hidden} of ${counted(total, 'image')}, below --min or without that score`);
      const left = total - hidden - best.length;
      if (ranked && left > 0) notes.push(`the best ${best.length} of ${total - hidden} are listed`);
      const byReward = ranked && (sort ?? 'reward') === 'reward';
      if (byReward && rewards.with > 0 && rewards.without > 0)
        notes.push(
          `${rewards.without} of ${counted(total, 'image')} have no prompt, and a reward without alignment: --sort quality, or --no-file-prompts, compares them with the others`,
        );
      print.end({ ...more, notes: [...more.notes, ...notes] });
      return { shown: best, notes };
    },
  };
}
