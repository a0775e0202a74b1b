/** What a command that runs until it is told to stop does about its process: signals, closed pipes, and crashes. */
import { EXIT } from '../../errors/exit.ts';
import type { Log } from '../../log.ts';
import { stopSignal } from './stop-signal.ts';

/** Beyond the time in which running work may end: for closing what is open. */
const CLOSING_MS = 5000;
/** After all is closed. */
const LINGER_MS = 1000;

export interface LongRunning {
  /** Aborts when the command is to stop: it was told so, or something went wrong that nobody caught. */
  signal: AbortSignal;
  /** The exit code of a command that would end with this one. */
  codeOr(code: number): number;
  /** Whatever still waits, such as a log that nobody reads, does not keep the process any longer. */
  release(): void;
}

/**
 * An error that nobody caught is logged, and the command stops as if it were told to: its state is unknown. Should that
 * not end it in time, it is ended.
 *
 * @param drainMs how long the command lets its work run on after it was told to stop
 */
export function runLong(log: Pick<Log, 'error'>, drainMs: number): LongRunning {
  const stop = stopSignal();
  const crash = new AbortController();
  const onCrash = (error: unknown): void => {
    log.error({ err: error }, 'an error that nobody caught: stopping');
    if (crash.signal.aborted) return;
    crash.abort();
    setTimeout(() => process.exit(EXIT.internal), drainMs + CLOSING_MS).unref();
  };
  // Comes for unhandled rejections, too.
  process.on('uncaughtException', onCrash);
  const onClosedPipe = (): void => {};
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onClosedPipe);
  const codeOr = (code: number): number => (crash.signal.aborted ? EXIT.internal : code);
  return {
    signal: AbortSignal.any([stop.signal, crash.signal]),
    codeOr,
    release() {
      stop.release(true);
      setTimeout(() => process.exit(), LINGER_MS).unref();
    },
  };
}
