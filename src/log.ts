/** The daemon's log: one JSON line an event on stderr, through pino. Command-line commands do not log. */
import { pino } from 'pino';

export type Log = Pick<import('pino').Logger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;

/**
 * Written in the background: a reader of stderr that is slow must not hold up the scoring.
 *
 * @param level pino level, or `silent`
 */
export const createLog = (level: string): Log =>
  pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: false }),
  );
