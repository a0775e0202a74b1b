/** Giving up on work that goes on without us. */

/**
 * The outcome of a promise, unless the signal aborts first. What the promise stands for goes on: others may wait for
 * it, too. Its failure after an abort counts as handled.
 *
 * @throws the signal's reason, at once, also when it was aborted before
 */
export async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
