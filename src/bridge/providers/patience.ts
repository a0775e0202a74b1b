/** Sends a question until there is an answer: what passes is waited for, what the endpoint does not know is left out. */
import { AssayError } from '../../errors/error.ts';
import { backoff, pause } from '../../lib/pause.ts';

export interface Patience {
  /** First pause before a question is sent again. */
  retryMs?: number | undefined;
  /** How often one is sent that the endpoint has no place for. */
  busyTries?: number;
  /** Leaves out what an error says is not known; false when that is not what it says. */
  adapt(error: AssayError): boolean;
}

/** Questions sent for one answer. */
export const TRIES = 3;
const LONGEST_PAUSE_MS = 60_000;

/** @throws what `send` throws at last, and the signal's reason */
export async function patiently<T>(
  send: () => Promise<T>,
  patience: Patience,
  signal: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; ) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof AssayError)) throw error;
      if (patience.adapt(error)) continue;
      await waitFor(error, tries++, patience, signal);
    }
  }
}

/** What passes may be tried again after a pause. @throws the error when it does not pass, or has been tried enough */
async function waitFor(
  error: AssayError,
  tries: number,
  { retryMs = 500, busyTries = TRIES }: Patience,
  signal: AbortSignal,
): Promise<void> {
  const most = error.code === 'ENDPOINT_BUSY' ? busyTries : TRIES;
  if (error.kind !== 'retry' || tries >= most) throw error;
  const own = backoff(retryMs, tries - 1, LONGEST_PAUSE_MS);
  await pause(Math.min(LONGEST_PAUSE_MS, Math.max(own, error.retryAfterMs ?? 0)), signal);
}
