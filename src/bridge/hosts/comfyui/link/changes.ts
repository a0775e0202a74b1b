/** Hints that there may be new runs: the host's broadcasts where they arrive, and a look now and then. */

import { backoff, createBell } from '../../../../lib/pause.ts';
import type { Tuning } from '../../tuning.ts';
import type { Live } from './live/live.ts';

export interface Lookout {
  live: Live;
  /** Resolves when the host answers. */
  probe(signal: AbortSignal): Promise<unknown>;
  tuning: Tuning;
}

/** Ends with the abort, whose reason is thrown. */
export async function* watchChanges(
  { live, probe, tuning }: Lookout,
  pollMs: number,
  signal: AbortSignal,
): AsyncGenerator<'changed' | 'back'> {
  const bell = createBell();
  let wasAway = false;
  const stop = live.listen((event) => {
    // A host that is restarted between two looks is noticed by its socket alone.
    if (event.kind === 'lost') wasAway = true;
    const isHint = event.kind === 'event' && event.type === 'status';
    if (isHint || event.kind === 'lost' || event.kind === 'open') bell.ring();
  });
  try {
    for (let failures = 0; ; ) {
      const isThere = await probe(signal).then(
        () => true,
        () => false,
      );
      signal.throwIfAborted();
      failures = isThere ? 0 : failures + 1;
      if (isThere) {
        yield wasAway ? 'back' : 'changed';
        wasAway = false;
      } else wasAway = true;
      await bell.wait(isThere ? pollMs : backoff(tuning.reconnectMs, failures, pollMs), signal);
    }
  } finally {
    stop();
  }
}
