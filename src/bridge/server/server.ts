/** The server of the daemon: HTTP and websocket on one port. Opens, and closes what it opened. */
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from '../../config.ts';
import { fail, reasonOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Service } from '../../types.ts';
import { isLoopback } from './access.ts';
import { createApp } from './app.ts';
import { Budget } from './budget.ts';
import type { Desk } from './desk.ts';
import { createMetrics } from './metrics.ts';
import { createOpenApi } from './openapi.ts';
import { sendRaw } from './reply.ts';
import { createSockets, type Sockets } from './socket.ts';
import { Traffic } from './traffic.ts';
import { TUNING, type Tuning } from './tuning.ts';

export interface ServerOptions {
  config: Config;
  log: Log;
  service: Service;
  /** Assay's own version, for people and metrics. */
  version: string;
  /** For tests. */
  tuning?: Partial<Tuning>;
}

export interface Server {
  host: string;
  /** The port in use, also when the config said 0. */
  port: number;
  /** Base address, e.g. `http://127.0.0.1:7878`. */
  url: string;
  /** Refuses new requests, lets running ones finish up to the timeout, then closes everything. Safe to call twice. */
  close(options: { drainTimeoutMs: number }): Promise<void>;
}

/**
 * Starts the HTTP and websocket server.
 *
 * @throws TOKEN_REQUIRED when listening beyond loopback without a token, PORT_IN_USE, LISTEN_FAILED
 * @example
 * const server = await startServer({ config: loadConfig(), log, service, version: '0.1.0' });
 * await server.close({ drainTimeoutMs: 10_000 });
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config } = options;
  const tuning = { ...TUNING, ...options.tuning };
  if (!isLoopback(config.host) && config.token === undefined)
    throw fail('TOKEN_REQUIRED', { host: config.host });
  const desk = createDesk(options);
  const http = createServer({
    connectionsCheckingInterval: 1000,
    // Java and curl --http2 ask for h2c on ordinary requests; Node before 24.9 hands those to `upgrade`
    shouldUpgradeCallback: ({ headers }) => /^websocket$/i.test(headers.upgrade ?? ''),
  });
  await listen(http, config.host, config.port);
  desk.access.port = (http.address() as AddressInfo).port;
  const sockets = createSockets(desk, tuning);
  attach(http, desk, sockets, tuning);
  const { port } = desk.access;
  let closing: Promise<void> | null = null;
  return {
    host: config.host,
    port,
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    close({ drainTimeoutMs }) {
      closing ??= close(http, desk, sockets, drainTimeoutMs, tuning.goodbyeMs);
      return closing;
    },
  };
}

function createDesk({ config, log, service, version }: ServerOptions): Desk {
  return {
    config,
    log,
    service,
    version,
    metrics: createMetrics(service, version),
    traffic: new Traffic(config.limits.requestTimeoutMs),
    budget: new Budget(2 * config.limits.maxBodyBytes), // one more request can arrive while one is scored
    access: { config, port: config.port },
  };
}

async function listen(http: HttpServer, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  http.once('error', reject).once('listening', resolve);
  http.listen(port, host.replace(/^\[|\]$/g, ''));
  try {
    await promise;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE')
      throw fail('PORT_IN_USE', { host, port }, { cause });
    throw fail('LISTEN_FAILED', { host, port, reason: reasonOf(cause) }, { cause });
  } finally {
    http.off('error', reject).off('listening', resolve);
  }
}

/** Milliseconds of silence before an idle connection closes; longer than the pools of usual clients keep theirs. */
const KEEP_ALIVE_MS = 75_000;

function attach(http: HttpServer, desk: Desk, sockets: Sockets, tuning: Tuning): void {
  const app = createApp(desk, createOpenApi(desk.version));
  const { requestTimeoutMs } = desk.config.limits;
  http.headersTimeout = tuning.headersTimeoutMs;
  // the call's own deadline answers first; this one frees the connection of a sender that trickles on
  http.requestTimeout = requestTimeoutMs === 0 ? 0 : requestTimeoutMs + tuning.headersTimeoutMs;
  http.keepAliveTimeout = KEEP_ALIVE_MS;
  http.on('request', app);
  http.on('checkContinue', app); // refusals come before the body; admitBody says "go on"
  http.on('upgrade', (request, socket, head) => sockets.upgrade(request, socket, head));
  http.on('clientError', refuseUnparsed);
  http.on('error', (error) => desk.log.error({ err: error }, 'server error')); // e.g. out of file descriptors
}

/** A request that is no HTTP, or that took too long to arrive. */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const reason = fail('MALFORMED_BODY', { format: 'HTTP', reason: error.message });
  sendRaw(socket, reason, statusOf(error));
}

function statusOf({ code }: NodeJS.ErrnoException): string {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout';
  return code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
}

async function close(
  http: HttpServer,
  desk: Desk,
  sockets: Sockets,
  drainTimeoutMs: number,
  goodbyeMs: number,
): Promise<void> {
  desk.traffic.closeDoor();
  await desk.traffic.idle(drainTimeoutMs);
  desk.traffic.abortAll(fail('DRAINING', {})); // the overdue are answered at once
  await desk.traffic.idle(goodbyeMs);
  await sockets.close();
  await new Promise<void>((resolve) => {
    const sweep = setInterval(() => http.closeIdleConnections(), 20);
    const timer = setTimeout(() => http.closeAllConnections(), goodbyeMs);
    http.close(() => {
      clearInterval(sweep);
      clearTimeout(timer);
      resolve();
    });
    http.closeIdleConnections();
  });
}
