/** Step 10, reply: the wire form of an error. */
import type { AssayError } from '../../../errors/error.ts';
import type { ErrorAnswer } from './schemas.ts';

/** Milliseconds to wait where the error names none: a broken setup takes a person to repair. */
const SETUP_RETRY_MS = 30_000;

/** When to try again, for the answers that must say so. */
export const retryAfterMs = (error: AssayError): number | undefined =>
  error.retryAfterMs ?? (error.status === 503 || error.status === 429 ? SETUP_RETRY_MS : undefined);

export function errorBody(error: AssayError): ErrorAnswer {
  const { code, message, fix } = error;
  const wait = retryAfterMs(error);
  return { error: { code, message, fix, ...(wait === undefined ? {} : { retryAfterMs: wait }) } };
}
