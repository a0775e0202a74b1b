/** The daemon's log: one JSON line an event on stderr, through pino. Command-line commands do not log. */
import { pino } from 'pino';
import { createSink } from './lib/log-sink.ts';

export type Log = Pick<import('pino').Logger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;

/**
 * A reader of stderr that is slow, or gone, neither holds up the scoring nor ends it.
 *
 * @param level pino level, or `silent`
 * @param secret what no line may hold, wherever a client put it
 */
export function createLog(level: string, secret?: string): Log {
  const sink = createSink();
  const write = (line: string) => sink.write(secret ? line.replaceAll(secret, '(not shown)') : line);
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
}
