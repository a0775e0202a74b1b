/** The real command line, as a child process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

/** Variables added to those of the test run; undefined takes one away. */
export type Environment = Record<string, string | undefined>;

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface StartOptions {
  env?: Environment | undefined;
  cwd?: string;
  /** What comes in on the standard input; nothing when absent. */
  input?: Uint8Array;
}

/** Starts `assay <args>`. */
export function start(args: string[], { env, cwd, input }: StartOptions = {}): ChildProcess {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
    stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  child.stdin?.end(input);
  return child;
}

/** Runs `assay <args>` to its end. */
export const assay = (args: string[], env?: Environment): Promise<Outcome> => outcomeOf(start(args, { env }));

/** Waits for the end of a command. */
export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

export interface Served {
  url: string;
  child: ChildProcess;
  /** Exit code after SIGTERM. */
  stop(): Promise<number | null>;
}

/** Starts `assay serve <args>` and waits for its address. */
export async function serve(args: string[]): Promise<Served> {
  const address = args.includes('--socket') ? [] : ['--port', '0'];
  const child = start(['serve', ...address, '--log-level', 'error', ...args]);
  const ended = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let log = '';
  child.stderr!.on('data', (chunk) => {
    log += chunk;
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /(http:\/\/|unix:)\S+/.exec(line)?.[0];
    if (!url) continue;
    const stop = () => {
      child.kill('SIGTERM');
      return ended;
    };
    return { url, child, stop };
  }
  throw new Error(`the daemon ended before it was ready: ${log}`);
}
