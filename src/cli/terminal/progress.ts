/** A progress bar on stderr, only where someone watches. */
import { SingleBar } from 'cli-progress';

export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** Shows nothing for a single item, or when stderr is not a terminal. */
export function startProgress(total: number, what: string): Progress {
  if (!process.stderr.isTTY || total < 2) return { update() {}, stop() {} };
  const format = `${what} {bar} {value}/{total} · {eta_formatted} left`;
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
  });
  bar.start(total, 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}
