/** Where the server listens: a TCP port, or a unix socket that only this user can reach. */
import { chmodSync, existsSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { connect, createServer, type ListenOptions, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../../../config.ts';
import { fail, reasonOf } from '../../../errors/error.ts';

/** @throws PORT_IN_USE, LISTEN_FAILED */
export async function listenOnPort(server: Server, host: string, port: number): Promise<void> {
  try {
    await listen(server, { host: host.replace(/^\[|\]$/g, ''), port });
  } catch (cause) {
    if (codeOf(cause) === 'EADDRINUSE') throw fail('PORT_IN_USE', { host, port }, { cause });
    throw fail('LISTEN_FAILED', { host, port, reason: reasonOf(cause) }, { cause });
  }
}

/**
 * A socket file that nobody listens on any more is replaced.
 *
 * @returns takes the file away, unless it is another's by now; for when the server closes
 * @throws SOCKET_IN_USE, SOCKET_UNUSABLE
 */
export async function listenOnSocket(server: Server, path: string): Promise<() => void> {
  return await explained(path, async () => {
    if (process.platform === 'win32') {
      await listen(server, { path });
      return () => {};
    }
    return await listenBeside(server, path);
  });
}

/**
 * Listens for a moment, so that nothing is loaded in vain where the address is taken or cannot be used.
 *
 * @throws PORT_IN_USE, LISTEN_FAILED, SOCKET_IN_USE, SOCKET_UNUSABLE
 */
export async function checkFree({ host, port, socket }: Config): Promise<void> {
  const server = createServer();
  let leave = () => {};
  if (socket === undefined) await listenOnPort(server, host, port);
  else leave = await listenOnSocket(server, socket);
  await new Promise((resolve) => server.close(resolve));
  leave();
}

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (codeOf(cause) === 'EADDRINUSE') throw fail('SOCKET_IN_USE', { path }, { cause });
    throw fail('SOCKET_UNUSABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;

async function listen(server: Server, options: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).once('listening', resolve);
  try {
    server.listen(options);
    await promise;
  } finally {
    server.off('error', reject).off('listening', resolve);
  }
}

/**
 * Node deletes the name that it bound when it closes, whoever's that is by then. So a name beside is bound, as long as
 * the path, whose length is limited; the socket then moves to the path, where no close looks for it.
 */
async function listenBeside(server: Server, path: string): Promise<() => void> {
  if (!existsSync(dirname(path))) throw new Error('its folder does not exist');
  const beside = join(dirname(path), nameBeside(basename(path)));
  await removeStale(beside);
  await listenPrivately(server, beside);
  const own = lstatSync(beside);
  try {
    await removeStale(path); // while this one listens beside it, no other comes so far
    renameSync(beside, path);
  } catch (error) {
    server.close();
    throw error;
  }
  return () => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.dev === own.dev && found.ino === own.ino) unlinkSync(path);
  };
}

const nameBeside = (name: string): string => `${name.slice(0, -1)}${name.endsWith('~') ? '_' : '~'}`;

/** Read and written by its owner alone, from its first moment: binding happens before `listen` returns. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const umask = setUmask(0o177);
  const listening = listen(server, { path });
  if (umask !== undefined) setUmask(umask);
  await listening;
  chmodSync(path, 0o600);
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
