/** `assay watch` as a child process, its lines collected. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

/** A line of `--format jsonl`. */
export interface WatchLine {
  name: string;
  verdict: string;
  reason: string;
  action: string;
  actionState: string;
  quality: number | null;
  prompt: string | null;
}

export interface Watching {
  child: ChildProcess;
  lines: WatchLine[];
  stderr(): string;
  /** Exit code once it has ended; null after a SIGKILL. */
  ended: Promise<number | null>;
  /** SIGTERM, then its exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<number | null>;
}

/** Starts `assay watch --format jsonl <args>`; it is killed when the test ends. */
export function startWatch(args: string[]): Watching {
  const child = spawn(
    process.execPath,
    [CLI, 'watch', '--format', 'jsonl', '--log-level', 'error', ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const lines: WatchLine[] = [];
  let stderr = '';
  createInterface({ input: child.stdout! }).on('line', (line) => {
    // A process that is killed may leave half a line.
    if (line.endsWith('}')) lines.push(JSON.parse(line));
  });
  child.stderr!.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  onTestFinished(async () => {
    await end('SIGKILL');
  });
  return {
    child,
    lines,
    stderr: () => stderr,
    ended,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
