/** Hints that there may be new files: somebody's job runs, or has gone on since the last look. */

import type { HostChange } from '../../../../host.ts';
import { backoff, pause } from '../../../../lib/pause.ts';
import type { Http } from '../../link/http.ts';
import type { Tuning } from '../../tuning.ts';
import { type Now, readNow } from './now.ts';

interface Watched {
  http: Http;
  tuning: Tuning;
  onNow(now: Now): void;
  onAway(): void;
  /** It may have been started in another way. */
  onBack(): void;
}

/** What one look after another says of the time between them. */
function createNews(pollMs: number) {
  let last: Now | undefined;
  let [wasAway, toldAt] = [false, Number.NEGATIVE_INFINITY];
  return {
    away() {
      wasAway = true;
    },
    /** Null when there is nothing to tell yet. */
    of(now: Now): HostChange | null {
      // A restart between two looks is seen by what the host has forgotten.
      const isBack = wasAway || (last !== undefined && !last.isFresh && now.isFresh);
      // A job that began and ended between two looks has left another mark.
      const isNews = !last || !now.isIdle || now.stage !== last.stage;
      [last, wasAway] = [now, false];
      if (!isBack && !isNews && performance.now() - toldAt < pollMs) return null;
      toldAt = performance.now();
      if (isBack) return 'back';
      return isNews ? 'changed' : 'quiet';
    },
  };
}

/** Ends with the abort, whose reason is thrown. */
export async function* watchChanges(
  { http, tuning, onNow, onAway, onBack }: Watched,
  pollMs: number,
  signal: AbortSignal,
): AsyncGenerator<HostChange> {
  const everyMs = Math.min(pollMs, tuning.pollMs);
  const news = createNews(pollMs);
  for (let failures = 0; ; ) {
    const now = await readNow(http, signal, false).catch(() => undefined);
    signal.throwIfAborted();
    failures = now ? 0 : failures + 1;
    if (now) {
      onNow(now);
      const change = news.of(now);
      if (change === 'back') onBack();
      if (change) yield change;
    } else {
      news.away();
      onAway();
    }
    await pause(now ? everyMs : backoff(tuning.reconnectMs, failures, everyMs), signal);
  }
}
