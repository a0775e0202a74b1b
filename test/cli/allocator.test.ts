/** What is freed while the scorer's graph is loaded goes back to the system. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
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
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { timeout: 20_000 }).toBe(200);
    // With all that glibc keeps it is 600.
    await expect.poll(() => residentMb(child.pid!), { timeout: 5000 }).toBeLessThan(420);
  },
);
