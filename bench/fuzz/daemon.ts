/** The daemon under attack: the real command as a child process, with a probe inside. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { TRIM_THRESHOLD } from '../../src/cli/process/allocator.ts';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));
const PROBE = new URL('./probe.ts', import.meta.url).href;

/** The longest block of the event loop; `cpuMs` of it the daemon was computing. */
export interface Block {
  wallMs: number;
  cpuMs: number;
}

export interface Victim {
  host: string;
  port: number;
  /** Whether it ended by itself. */
  readonly isDead: boolean;
  /** Forgets the blocks so far. */
  startWatching(): void;
  readonly block: Block;
  /** A gauge of its metrics page. */
  gauge(name: string): Promise<number>;
  /** @returns its exit code */
  stop(): Promise<number | null>;
}

/** Starts `assay serve <flags>` on a free port, without its result cache, which would answer for the model. */
export async function startVictim(flags: string[]): Promise<Victim> {
  const args = ['--import', PROBE, CLI, 'serve', '--port', '0', '--log-level', 'error', ...flags];
  // The daemon would begin once more to set it, but the probe would be lost.
  const env = { ...process.env, ...TRIM_THRESHOLD, ASSAY_RESULT_CACHE: '0' };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'], env });
  const ended = once(child, 'exit');
  const { hostname, port } = await addressOf(child.stdout!);
  let block: Block = { wallMs: 0, cpuMs: 0 };
  createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
    block = JSON.parse(line);
  });
  return {
    host: hostname,
    port: Number(port),
    get isDead() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    get block() {
      return block;
    },
    startWatching() {
      block = { wallMs: 0, cpuMs: 0 };
      child.kill('SIGUSR2');
    },
    async gauge(name) {
      const page = await (await fetch(`http://${hostname}:${port}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = await ended;
      return code;
    },
  };
}

async function addressOf(stdout: Readable): Promise<URL> {
  for await (const line of createInterface({ input: stdout })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url) return new URL(url);
  }
  throw new Error('the daemon ended before it was ready');
}
