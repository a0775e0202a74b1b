/**
 * Loaded into the daemon: tells on file descriptor 3 how long its event loop was blocked at most, and how much of that
 * it was computing. The difference is the machine's: other processes had the core.
 */
import { writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const EVERY_MS = 5;

/** CPU milliseconds of this thread; NaN where Node does not tell. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? { user: Number.NaN, system: Number.NaN };
  return (user + system) / 1000;
}

function watch(): void {
  let at = performance.now();
  let cpu = cpuMs();
  const most = { wallMs: 0, cpuMs: 0 };
  setInterval(() => {
    const [now, nowCpu] = [performance.now(), cpuMs()];
    const [wallMs, spentMs] = [now - at - EVERY_MS, nowCpu - cpu];
    [at, cpu] = [now, nowCpu];
    if (wallMs <= most.wallMs && !(spentMs > most.cpuMs)) return;
    most.wallMs = Math.max(most.wallMs, wallMs);
    most.cpuMs = Math.max(most.cpuMs, spentMs);
    writeSync(3, `${JSON.stringify(most)}\n`);
  }, EVERY_MS).unref();
  process.on('SIGUSR2', () => {
    most.wallMs = 0; // the start is over
    most.cpuMs = 0;
  });
}

if (isMainThread) watch();
