/** Real hosts as child processes: a free port, a wait until they answer, an end. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const STOP_MS = 10_000;
const PROBE_MS = 5000;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when the address answers well. @throws with the end of its log when that takes longer */
export async function answers(
  child: ChildProcess,
  url: string,
  name: string,
  lines: string[],
  withinMs: number,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline && child.exitCode === null && child.pid !== undefined) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${name} did not start:\n${lines.join('').slice(-4000)}`);
}

/** As Ctrl+C does, and by force when that takes too long. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = once(child, 'close');
  child.kill('SIGINT');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await closed.finally(() => clearTimeout(force));
}
