/** Verdicts on their way to the file: those that wait, and the count of those written and lost. */
import type { ScoreResult } from '../../types/result.ts';
import type { Opened } from '../file/connection.ts';
import type { StoreLog } from '../file/health.ts';
import { createQueue } from './queue.ts';

/** Verdicts a transaction: a few milliseconds during which the event loop stands still. */
export const BATCH = 64;

export interface Recorder {
  readonly waiting: number;
  /** Since the start. */
  readonly counts: { recorded: number; dropped: number };
  /** Takes a verdict, or counts it as dropped when too many wait. */
  add(result: ScoreResult, client: string, once?: string): void;
  /**
   * Writes some of what waits.
   *
   * @throws what node:sqlite throws; what waits is then kept
   */
  writeSome(opened: Opened): void;
  /** Writes all that waits. Throws like `writeSome`. */
  writeAll(opened: Opened): void;
  /** Counts what still waits, and all that comes later, as dropped. */
  giveUp(): void;
}

/**
 * @param bound most verdicts that wait
 * @param now Unix milliseconds
 */
export function createRecorder(bound: number, now: () => number, log: StoreLog): Recorder {
  const queue = createQueue(bound);
  const counts = { recorded: 0, dropped: 0 };
  let overflowing = false;
  let ended = false;

  function overflowed(): void {
    counts.dropped++;
    if (ended || overflowing) return;
    overflowing = true;
    log.warn({ waiting: queue.size }, 'too many verdicts wait to be recorded: further ones are dropped');
  }

  function refused(reasons: string[]): void {
    counts.dropped += reasons.length;
    log.error({ count: reasons.length, reason: reasons[0] }, 'dropped verdicts that do not fit the history');
  }

  function writeSome({ writer }: Opened): void {
    const batch = queue.peek(BATCH);
    if (batch.length === 0) return;
    const refusals = writer.write(batch);
    queue.shift(batch.length);
    counts.recorded += batch.length - refusals.length;
    if (refusals.length > 0) refused(refusals);
    if (queue.size === 0) overflowing = false;
  }

  return {
    get waiting() {
      return queue.size;
    },
    counts,
    add(result, client, once) {
      if (ended || !queue.push({ at: now(), client, result, once })) overflowed();
    },
    writeSome,
    writeAll(opened) {
      while (queue.size > 0) writeSome(opened);
    },
    giveUp() {
      if (queue.size > 0) log.warn({ lost: queue.size }, 'closed before these verdicts could be recorded');
      counts.dropped += queue.size;
      queue.shift(queue.size);
      ended = true;
    },
  };
}
