/** A fake host as a process that may end and come back at the same address: what both families of fakes are built on. */
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestHost } from './test-host.ts';

/** What is gone with the process, and how it goes. */
export interface Life {
  answer: RequestListener;
  /** Sockets, which the server itself knows nothing of. */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  end(): void;
}

export interface Lives<L extends Life = Life> extends Pick<TestHost, 'restart' | 'stop'> {
  readonly port: number;
  /** The one that it lives now. */
  readonly now: L;
  /** Goes away, as a process that ends. */
  down(): Promise<void>;
  /** Comes back at the same address. */
  up(): Promise<void>;
}

/**
 * @param baseDir removed when it is stopped
 * @param begin a life that remembers nothing
 */
export async function startLives<L extends Life>(baseDir: string, begin: () => L, at = 0): Promise<Lives<L>> {
  let now = begin();
  let server = await serve(now, at);
  const { port } = server.address() as AddressInfo;
  const lives: Lives<L> = {
    port,
    get now() {
      return now;
    },
    async down() {
      now.end();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    async up() {
      now = begin();
      server = await serve(now, port);
    },
    async restart() {
      await lives.down();
      await lives.up();
    },
    async stop() {
      if (server.listening) await lives.down();
      rmSync(baseDir, { recursive: true, force: true });
    },
  };
  return lives;
}

async function serve({ answer, upgrade }: Life, port: number): Promise<Server> {
  const server = createServer(answer);
  if (upgrade) server.on('upgrade', upgrade);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
