/** Where the server listens: a TCP port, or a unix socket that only this user can reach. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { connect, type ListenOptions } from 'node:net';
import { fail, reasonOf } from '../../../errors/error.ts';

/** @throws PORT_IN_USE, LISTEN_FAILED */
export async function listenOnPort(http: HttpServer, host: string, port: number): Promise<void> {
  try {
    await listen(http, { host: host.replace(/^\[|\]$/g, ''), port });
  } catch (cause) {
    if (codeOf(cause) === 'EADDRINUSE') throw fail('PORT_IN_USE', { host, port }, { cause });
    throw fail('LISTEN_FAILED', { host, port, reason: reasonOf(cause) }, { cause });
  }
}

/**
 * A socket file that nobody listens on any more is replaced. The file disappears when the server closes.
 *
 * @throws SOCKET_IN_USE, SOCKET_UNUSABLE
 */
export async function listenOnSocket(http: HttpServer, path: string): Promise<void> {
  try {
    await removeStale(path);
    await listenPrivately(http, path);
  } catch (cause) {
    if (codeOf(cause) === 'EADDRINUSE') throw fail('SOCKET_IN_USE', { path }, { cause });
    throw fail('SOCKET_UNUSABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;

async function listen(http: HttpServer, options: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  http.once('error', reject).once('listening', resolve);
  try {
    http.listen(options);
    await promise;
  } finally {
    http.off('error', reject).off('listening', resolve);
  }
}

/** Read and written by its owner alone, from its first moment: binding happens before `listen` returns. */
async function listenPrivately(http: HttpServer, path: string): Promise<void> {
  const umask = setUmask(0o177);
  const listening = listen(http, { path });
  if (umask !== undefined) setUmask(umask);
  await listening;
  if (process.platform !== 'win32') chmodSync(path, 0o600);
}

/** Undefined in a worker thread, which cannot set it. */
function setUmask(mask: number): number | undefined {
  try {
    return process.umask(mask);
  } catch {
    return undefined;
  }
}

/** @throws an error of code EADDRINUSE when somebody listens, one with a reason when it is no socket */
async function removeStale(path: string): Promise<void> {
  const found = process.platform === 'win32' ? undefined : lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error('something else is there, and nothing is overwritten');
  if (await isAnswered(path)) throw Object.assign(new Error('it is answered'), { code: 'EADDRINUSE' });
  unlinkSync(path);
}

/** Longest wait for somebody to accept; one who is too busy listens, too. */
const ANSWER_TIMEOUT_MS = 1000;

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', (error) => settle(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error) ?? '')));
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => settle(true));
  });
}
