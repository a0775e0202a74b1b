/** A progress bar on stderr, only where someone watches. */

export interface Progress {
  update(done: number): void;
  stop(): void;
}

const WIDTH = 24;
/** Not more often than a terminal is looked at. */
const EVERY_MS = 100;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_LINE = '\r\x1b[2K';

function timeText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (hours > 0) return `${hours}h ${minutes % 60}m`;
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}

/** What is left takes as long as what was done. */
function barText(what: string, done: number, total: number, elapsedMs: number): string {
  const full = Math.floor((WIDTH * done) / total);
  const left = done === 0 ? '' : ` · ${timeText((elapsedMs / done) * (total - done))} left`;
  return `${what} ${'█'.repeat(full)}${'░'.repeat(WIDTH - full)} ${done}/${total}${left}`;
}

/** Shows nothing for a single item, or when stderr is not a terminal. */
export function startProgress(total: number, what: string): Progress {
  const { stderr } = process;
  if (!stderr.isTTY || total < 2) return { update() {}, stop() {} };
  const start = performance.now();
  let shownAt = Number.NEGATIVE_INFINITY;
  const update = (done: number): void => {
    const now = performance.now();
    if (now - shownAt < EVERY_MS) return;
    shownAt = now;
    stderr.write(CLEAR_LINE + barText(what, done, total, now - start));
  };
  stderr.write(HIDE_CURSOR);
  update(0);
  return { update, stop: () => void stderr.write(CLEAR_LINE + SHOW_CURSOR) };
}
