/** The daemon under test: a child process, as users run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const CLI = fileURLToPath(new URL(`../cli/index${EXTENSION}`, import.meta.url));

export interface DaemonUnderTest {
  url: string;
  /** From spawn to the line that says it is ready. */
  readyMs: number;
  /** Resident memory, in MB. */
  rssMb(): Promise<number>;
  stop(): Promise<void>;
}

async function readyUrl(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url) return url;
  }
  throw new Error('the daemon ended before it was ready');
}

/** Starts `assay serve <flags>` on a free port, without its result cache, which would answer for the model. */
export async function startDaemonUnderTest(flags: string[]): Promise<DaemonUnderTest> {
  const start = performance.now();
  const child = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--log-level', 'error', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ASSAY_RESULT_CACHE: '0' },
  });
  const ended = once(child, 'exit');
  const url = await readyUrl(child);
  const readyMs = performance.now() - start;
  return {
    url,
    readyMs,
    async rssMb() {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return Number(/^\w*process_resident_memory_bytes(?:\{.*\})? (\S+)$/m.exec(metrics)?.[1]) / 1e6;
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
