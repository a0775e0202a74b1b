/** Waiting that a signal ends. */
import { setTimeout as after } from 'node:timers/promises';

/** @throws the abort's reason */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await after(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** A doorbell: who waits is woken by a ring, and a ring that nobody waited for is kept until somebody does. */
export interface Bell {
  ring(): void;
  /** Until a ring, `ms`, or the abort, whose reason is thrown. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export function createBell(): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait(ms, signal) {
      signal.throwIfAborted();
      if (!rung) await ringOrTime(ms, signal);
      rung = false;
      signal.throwIfAborted();
    },
  };

  async function ringOrTime(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    wake = resolve;
    signal.addEventListener('abort', resolve as () => void, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      wake = undefined;
      signal.removeEventListener('abort', resolve as () => void);
    }
  }
}

/** A pause that doubles with every try up to `most`, and differs from client to client. */
export const backoff = (first: number, tries: number, most: number): number =>
  Math.min(most, first * 2 ** tries) * (0.5 + Math.random() / 2);
