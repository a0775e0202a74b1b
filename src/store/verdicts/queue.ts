/** Verdicts that wait to be written: first in, first out, bounded. */
import type { ScoreResult } from '../../types/result.ts';

export interface Pending {
  /** Unix milliseconds of the reply. */
  at: number;
  client: string;
  result: ScoreResult;
  /** What it is known by when it comes a second time: it is written once. */
  once?: string | undefined;
}

export interface Queue {
  readonly size: number;
  /** Whether there was room. What waits already is kept; the newcomer is turned away. */
  push(entry: Pending): boolean;
  /** The first `count` that wait, left in place until they are written. */
  peek(count: number): Pending[];
  /** Removes the first `count`. */
  shift(count: number): void;
}

/** @param bound most entries */
export function createQueue(bound: number): Queue {
  // Entries before head are done; they are cut off in bulk, so that shifting costs no copy each time.
  let entries: Pending[] = [];
  let head = 0;
  return {
    get size() {
      return entries.length - head;
    },
    push(entry) {
      const room = entries.length - head < bound;
      if (room) entries.push(entry);
      return room;
    },
    peek: (count) => entries.slice(head, head + count),
    shift(count) {
      head += count;
      if (head * 2 < entries.length) return;
      entries = entries.slice(head);
      head = 0;
    },
  };
}
