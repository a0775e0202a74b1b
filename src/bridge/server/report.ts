/** Step 10, record: one log line and one count for each finished request. */
import type { AssayError } from '../../errors/error.ts';
import type { Call } from './call.ts';
import type { ServerContext } from './context.ts';

/** @param status HTTP status, or `ok` or an error code for websocket requests */
export function report(
  { metrics, log }: Pick<ServerContext, 'metrics' | 'log'>,
  call: Call,
  status: string | number,
  error?: AssayError,
): void {
  const ms = Math.round(call.elapsedMs * 10) / 10;
  metrics.request(call.route, String(status), ms);
  const { route, client, items, slowest } = call;
  const why = error ? { code: error.code, reason: error.message } : {};
  const line = { route, status, ...why, items, ms, client, slowest };
  if (error?.kind === 'internal') log.error({ ...line, err: error }, 'request failed');
  else if (call.isQuiet && !error) log.debug(line, 'request');
  else log.info(line, 'request');
}
