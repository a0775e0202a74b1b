/** What is freed while the scorer's graph is loaded goes back to the system. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { serve } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';

/** Resident memory of a process in MB. */
const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

const canBeginAgain = existsSync('/proc/self/status') && process.execve !== undefined;

it.skipIf(!canBeginAgain)(
  `a daemon that nobody prepared an environment for stays small${canBeginAgain ? '' : ' (skipped: not on this system)'}`,
  async () => {
    const { url, child } = await serve(['--data-dir', tempFolder()]);
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { timeout: 50_000 }).toBe(200);
    // With all that glibc keeps it is 600.
    await expect.poll(() => residentMb(child.pid!)).toBeLessThan(420);
  },
);

it.skipIf(!canBeginAgain)(
  `a config from a stream that the shell opened is read${canBeginAgain ? '' : ' (skipped: not on this system)'}`,
  async () => {
    const cli = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));
    const serving = `exec "$0" "${cli}" serve --config <(echo '{"port": 0, "logLevel": "error"}') --data-dir "${tempFolder()}"`;
    const child = spawn('bash', ['-c', serving, process.execPath], { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(child, 'close');
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await closed;
    });
    const [line] = await once(createInterface({ input: child.stdout! }), 'line');
    expect(line).not.toContain(':7878');
    child.kill('SIGTERM');
    expect(await closed).toEqual([0, null]);
  },
);
