/**
 * Memory that is freed goes back to the system. glibc keeps what is freed in pieces, and loading a scorer's graph frees
 * 300 MB in pieces. How much it keeps is read from the environment as a process begins, so the process begins once more:
 * the same process, with the same id, streams and arguments.
 */

/** Bytes at the end of the heap that may lie free. A fixed value also ends the growth of the one glibc begins with. */
export const TRIM_THRESHOLD = { MALLOC_TRIM_THRESHOLD_: '1000000' };

/** Commands that go on until they are stopped; all others give everything back soon. */
const STAYING = new Set(['serve', 'watch', 'mcp']);

/** Streams beyond the first three that a command line names end with a process that begins once more. */
const NAMES_STREAM = /\/(dev|proc\/self)\/fd\//;

/** Does not return when the process begins once more. Where it cannot (Node before 22.15, Windows), all stays as it is. */
export function returnFreedMemory(argv: readonly string[], env: NodeJS.ProcessEnv): void {
  const isSet = 'MALLOC_TRIM_THRESHOLD_' in env;
  if (process.platform !== 'linux' || isSet || !STAYING.has(argv[2] ?? '')) return;
  // Started by a program that holds on to it, or with modules of its own.
  if (process.connected || process.execArgv.length > 0) return;
  if ([...argv, ...Object.values(env)].some((text) => NAMES_STREAM.test(text ?? ''))) return;
  process.execve?.(process.execPath, [process.execPath, ...argv.slice(1)], { ...env, ...TRIM_THRESHOLD });
}
