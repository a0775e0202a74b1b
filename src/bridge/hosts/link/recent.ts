/** One answer for all who ask at about the same time. */
import { orAbort } from '../../../lib/abort.ts';

/**
 * Calls within `ageMs` after one began share its answer. Failures are shared only while they are under way.
 * The request itself goes on when one of the callers gives up: the others wait for it.
 */
export function recent<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  ageMs: number,
): (signal: AbortSignal) => Promise<T> {
  let last: { at: number; answer: Promise<T> } | undefined;

  function begin(): { at: number; answer: Promise<T> } {
    const next = { at: performance.now(), answer: ask(new AbortController().signal) };
    next.answer.catch(() => {
      if (last === next) last = undefined;
    });
    return next;
  }

  return (signal) => {
    if (!last || performance.now() - last.at >= ageMs) last = begin();
    return orAbort(last.answer, signal);
  };
}
