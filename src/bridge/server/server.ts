/** The server of the daemon: HTTP and websocket on one port. Opens, and closes what it opened. */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Config } from '../../config.ts';
import { fail } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { turn } from '../../turn.ts';
import type { Service } from '../../types.ts';
import { checkExposure } from './access.ts';
import { createApp } from './app.ts';
import { Budget } from './budget.ts';
import { allowedConnections, Connections } from './connections.ts';
import type { Desk } from './desk.ts';
import { listenOnPort, listenOnSocket } from './listen.ts';
import { createMetrics } from './metrics.ts';
import { createOpenApi } from './openapi.ts';
import { Outbox } from './outbox.ts';
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
  /** Told of bytes of requests that are not needed any more. */
  onFreed?: ((bytes: number) => void) | undefined;
  /** For tests. */
  tuning?: Partial<Tuning>;
}

export interface Server {
  host: string;
  /** The port in use, also when the config said 0; 0 on a unix socket. */
  port: number;
  /** Base address, e.g. `http://127.0.0.1:7878`, or `unix:` and the path of the socket. */
  url: string;
  /** Refuses new requests, lets running ones finish up to the timeout, then closes everything. Safe to call twice. */
  close(options: { drainTimeoutMs: number }): Promise<void>;
}

/**
 * Starts the HTTP and websocket server.
 *
 * @throws TOKEN_REQUIRED when listening beyond loopback without a token, PORT_IN_USE, LISTEN_FAILED, SOCKET_IN_USE,
 * SOCKET_UNUSABLE
 * @example
 * const server = await startServer({ config: loadConfig(), log, service, version: '0.1.0' });
 * await server.close({ drainTimeoutMs: 10_000 });
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { host } = options.config;
  const desk = createDesk(options);
  const http = createServer({
    connectionsCheckingInterval: 1000,
    // Java and curl --http2 ask for h2c on ordinary requests; Node before 24.9 hands those to `upgrade`
    shouldUpgradeCallback: ({ headers }) => /^websocket$/i.test(headers.upgrade ?? ''),
  });
  const sockets = createSockets(desk);
  attach(http, desk, sockets);
  const { port, leave } = await listen(http, options.config);
  desk.access.port = port;
  // only now: before, the one who asked to listen hears of it
  http.on('error', (error) => desk.log.error({ err: error }, 'server error')); // e.g. out of file descriptors
  let closing: Promise<void> | null = null;
  return {
    host,
    port,
    url: urlOf(options.config, port),
    close({ drainTimeoutMs }) {
      closing ??= close(http, desk, sockets, drainTimeoutMs).finally(leave);
      return closing;
    },
  };
}

function createDesk({ config, log, service, version, onFreed, tuning: given }: ServerOptions): Desk {
  const tuning = { ...TUNING, ...given };
  const budget = new Budget({ ...tuning, capacityBytes: config.limits.maxBodyBytes }, onFreed);
  const outbox = new Outbox(tuning, (bytes) =>
    log.info({ bytes }, 'a client does not take its answers: connection closed'),
  );
  return {
    config,
    log,
    service,
    version,
    metrics: createMetrics(service, version, { budget, outbox }),
    traffic: new Traffic(config.limits.requestTimeoutMs),
    budget,
    outbox,
    access: { config, port: config.port },
    tuning,
  };
}

/** @returns the port, 0 on a unix socket, and what is to be done when nothing listens any more */
async function listen(http: HttpServer, config: Config): Promise<{ port: number; leave: () => void }> {
  const { host, port, socket } = config;
  checkExposure(config);
  if (socket !== undefined) {
    return { port: 0, leave: await listenOnSocket(http, socket) };
  }
  await listenOnPort(http, host, port);
  return { port: (http.address() as AddressInfo).port, leave: () => {} };
}

function urlOf({ host, socket }: Config, port: number): string {
  // Clients start elsewhere: what is printed must hold in any folder.
  if (socket !== undefined) return `unix:${resolve(socket)}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Milliseconds of silence before an idle connection closes; longer than the pools of usual clients keep theirs. */
const KEEP_ALIVE_MS = 75_000;

function attach(http: HttpServer, desk: Desk, sockets: Sockets): void {
  const app = createApp(desk, createOpenApi(desk.version));
  const { headersTimeoutMs, maxConnections, maxPipelined } = desk.tuning;
  const { requestTimeoutMs } = desk.config.limits;
  const connections = new Connections(http, allowedConnections(maxConnections));
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (connections.begin(request, response) > maxPipelined) return void request.socket.destroy();
    turn.run(() => app(request, response)); // a chunk of bytes may hold a thousand small requests
  };
  http.headersTimeout = headersTimeoutMs;
  // the call's own deadline answers first; this one frees the connection of a sender that trickles on
  http.requestTimeout = requestTimeoutMs === 0 ? 0 : requestTimeoutMs + headersTimeoutMs;
  http.keepAliveTimeout = KEEP_ALIVE_MS;
  http.on('request', onRequest);
  http.on('checkContinue', onRequest); // refusals come before the body; admitBody says "go on"
  http.on('upgrade', (request, socket, head) => {
    if (sockets.upgrade(request, socket as Socket, head)) connections.keep(socket as Socket);
  });
  http.on('clientError', refuseUnparsed);
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

async function close(http: HttpServer, desk: Desk, sockets: Sockets, drainTimeoutMs: number): Promise<void> {
  const { goodbyeMs } = desk.tuning;
  desk.traffic.closeDoor();
  desk.budget.press();
  desk.outbox.press();
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
  desk.metrics.close();
}
