/** A real host as a child process in a data folder of its own: begun, begun anew, ended, and its log kept. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { answers, endChild } from './child.ts';
import type { TestHost } from './test-host.ts';

/** Longest time for a start; give a hook that starts one a little more. */
export const START_MS = 300_000;

export interface ProcessHost extends TestHost {
  readonly pid: number;
  /** All that it has written so far, of every start. */
  log(): string;
}

export interface Recipe {
  title: string;
  /** Removed when it is stopped. */
  baseDir: string;
  outputDir: string;
  url: string;
  /** Path that answers well when it is up. */
  probe: string;
  command: string;
  args: string[];
  options: SpawnOptions;
  /** What else it takes until it can work. */
  warmUp?(): Promise<void>;
}

/** @throws when it is not ready within START_MS, with the end of its log */
export async function startProcess(recipe: Recipe): Promise<ProcessHost> {
  const { title, baseDir, outputDir, url } = recipe;
  const lines: string[] = [];
  const ready = async (child: ChildProcess) => {
    await answers(child, url + recipe.probe, title, lines, START_MS);
    await recipe.warmUp?.();
  };
  let child = launch(recipe, lines);
  const killNow = () => void child.kill('SIGKILL');
  process.once('exit', killNow);
  const stop = async () => {
    await endChild(child);
    process.off('exit', killNow);
    rmSync(baseDir, { recursive: true, force: true });
  };
  try {
    await ready(child);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ url, baseDir, outputDir, stop },
    get pid() {
      return child.pid!;
    },
    log: () => lines.join(''),
    async restart() {
      await endChild(child);
      child = launch(recipe, lines);
      await ready(child);
    },
  };
}

function launch({ command, args, options }: Recipe, lines: string[]): ChildProcess {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => lines.push(String(chunk)));
  child.on('error', (error) => lines.push(`${error.message}\n`));
  return child;
}
