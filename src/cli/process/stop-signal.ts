/** How commands that run until they are told to stop are told: Ctrl-C, or whoever reads their output leaves. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/**
 * Ctrl-C goes to the whole process group, and npm and its shell pass theirs on as well: within this time it is one wish.
 * Nobody presses twice as fast.
 */
const ONE_WISH_MS = 200;
/** Those that run now. */
const running = new Set<AbortController>();

/** Ends the process as the signal by itself would: exiting would first wait for, or crash in, native threads. */
function die(signal: (typeof SIGNALS)[number]): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/**
 * Aborts at the first SIGINT, SIGTERM or SIGHUP (a terminal that closes). Ctrl-C once more ends the process at once, and
 * so does any signal after the release; a terminal that closes, or a supervisor, sends several others for one wish.
 *
 * @returns `release` ends the listening; whoever ends the process soon by itself says so, and only Ctrl-C cuts that short
 */
export function stopSignal(): { signal: AbortSignal; release(endsItself?: boolean): void } {
  const controller = new AbortController();
  let isReleased = false;
  let askedAt = Number.NEGATIVE_INFINITY;
  const onSignal = (name: (typeof SIGNALS)[number]) => {
    const sinceMs = performance.now() - askedAt;
    if (!controller.signal.aborted) {
      askedAt = performance.now();
      controller.abort();
    } else if (isReleased || (name === 'SIGINT' && sinceMs > ONE_WISH_MS)) die(name);
  };
  running.add(controller);
  for (const name of SIGNALS) process.on(name, onSignal);
  const release = (endsItself = false) => {
    running.delete(controller);
    isReleased = !endsItself;
    // Once told to stop, the process is to end, also where something that cannot be given up keeps it: a signal that
    // comes while nobody listens would be lost.
    if (!controller.signal.aborted) for (const name of SIGNALS) process.off(name, onSignal);
  };
  return { signal: controller.signal, release };
}

/** The reason of a stop because nobody reads the output any more, as in `assay score … | head`. */
export const READER_LEFT = Symbol('the reader of the output left');

/** Stops what runs because nobody reads its output. */
export function stopForReader(): void {
  for (const controller of running) controller.abort(READER_LEFT);
}
