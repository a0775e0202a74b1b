/** The websocket endpoint: upgrade, subprotocol, heartbeat, farewell. What messages mean is in session.ts. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { type AssayError, fail, toAssayError } from '../../errors.ts';
import { checkAccess, clientOf, pathOf } from './access.ts';
import { tooLarge } from './body.ts';
import { type Codec, json, msgpack } from './codec.ts';
import { type Desk, errorBody, report } from './desk.ts';
import { sendRaw } from './reply.ts';
import { type Link, Session } from './session.ts';
import type { Tuning } from './tuning.ts';

export const SOCKET_PATH = '/v1/ws';

/** Subprotocols by name, in the order of preference. */
const CODECS: Record<string, Codec> = { 'assay.v1.msgpack': msgpack, 'assay.v1.json': json };

/** Close codes of RFC 6455. */
const GOING_AWAY = 1001;
const TOO_BIG = 1009;

export interface Sockets {
  /** For the `upgrade` event of the HTTP server. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Says goodbye to all and waits for them, for a while. */
  close(): Promise<void>;
}

interface Peer {
  ws: WebSocket;
  session: Session;
  /** Bytes read so far; a live peer at least answers pings. */
  bytesRead(): number;
  seen: number;
  /** When it was last heard, by `performance.now`. */
  heardAt: number;
}

/** Tells the sender what the matter is before it closes over a message that is too long. */
class TalkingSocket extends WebSocket {
  explainTooBig: () => string | Uint8Array = () => '';

  override close(code?: number, reason?: string | Buffer): void {
    if (code === TOO_BIG && this.readyState === WebSocket.OPEN) this.send(this.explainTooBig());
    super.close(code, reason);
  }
}

export function createSockets(desk: Desk, tuning: Tuning): Sockets {
  const peers = new Set<Peer>();
  const server = new WebSocketServer({
    noServer: true,
    WebSocket: TalkingSocket,
    maxPayload: desk.config.limits.maxBodyBytes,
    perMessageDeflate: false, // images do not shrink, and inflating is a way to fill memory
    handleProtocols: (offered) => [...offered].find((name) => name in CODECS) ?? false,
  });
  const heartbeat = setInterval(() => beat(peers, tuning.maxSilenceMs), tuning.heartbeatMs).unref();
  return {
    upgrade(request, socket, head) {
      const onError = () => socket.destroy();
      socket.on('error', onError);
      try {
        checkUpgrade(desk, request);
      } catch (thrown) {
        return refuseUpgrade(desk, request, socket, toAssayError(thrown));
      }
      server.handleUpgrade(request, socket, head, (ws) => {
        socket.off('error', onError);
        welcome(desk, ws as TalkingSocket, request, tuning, peers);
      });
    },
    async close() {
      clearInterval(heartbeat);
      await Promise.all([...peers].map((peer) => farewell(peer.ws, tuning.goodbyeMs)));
      server.close();
    },
  };
}

/** @throws what `checkAccess` throws, NOT_FOUND, DRAINING, BAD_REQUEST for unknown subprotocols */
function checkUpgrade(desk: Desk, request: IncomingMessage): void {
  checkAccess(request, desk.access);
  if (pathOf(request) !== SOCKET_PATH)
    throw fail('NOT_FOUND', { method: 'a websocket at', path: pathOf(request) });
  desk.traffic.checkOpen();
  const offered = request.headers['sec-websocket-protocol'];
  const isKnown = offered === undefined || offered.split(',').some((name) => name.trim() in CODECS);
  if (!isKnown)
    throw fail('BAD_REQUEST', {
      reason: `subprotocol ${offered}; known are ${Object.keys(CODECS).join(', ')}`,
    });
}

const STATUS: Record<number, string> = {
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  404: '404 Not Found',
  503: '503 Service Unavailable',
};

function refuseUpgrade(desk: Desk, request: IncomingMessage, socket: Duplex, error: AssayError): void {
  const call = desk.traffic.begin('ws upgrade', clientOf(request));
  sendRaw(socket, error, STATUS[error.status] ?? '500 Internal Server Error');
  report(desk, call, error.status, error);
  call.end();
}

function welcome(
  desk: Desk,
  ws: TalkingSocket,
  request: IncomingMessage,
  tuning: Tuning,
  peers: Set<Peer>,
): void {
  const codec = CODECS[ws.protocol] ?? json;
  const session = new Session(desk, linkOf(ws), codec, clientOf(request), tuning);
  const peer: Peer = {
    ws,
    session,
    bytesRead: () => request.socket.bytesRead,
    seen: 0,
    heardAt: performance.now(),
  };
  const { maxBodyBytes } = desk.config.limits;
  ws.explainTooBig = () => codec.encode({ id: null, ok: false, ...errorBody(tooLarge(maxBodyBytes)) });
  peers.add(peer);
  desk.metrics.socketOpened();
  ws.on('message', (data, isBinary) => void session.receive(data as Buffer, isBinary));
  ws.on('error', (error) => desk.log.info({ err: error }, 'websocket error')); // 'close' follows
  ws.once('close', () => {
    peers.delete(peer);
    desk.metrics.socketClosed();
    session.close();
  });
}

const linkOf = (ws: WebSocket): Link => ({
  get bufferedAmount() {
    return ws.bufferedAmount;
  },
  pause: () => ws.pause(),
  resume: () => ws.resume(),
  // a socket that closed meanwhile reports it to the callback, as an error nobody needs
  send: (data, onTaken) => ws.send(data, () => onTaken()),
});

/** Drops peers that are silent; one that we do not read cannot be heard. */
function beat(peers: Set<Peer>, maxSilenceMs: number): void {
  const now = performance.now();
  for (const peer of peers) {
    const bytes = peer.bytesRead();
    if (bytes !== peer.seen || peer.session.isPaused) peer.heardAt = now;
    peer.seen = bytes;
    if (now - peer.heardAt > maxSilenceMs) peer.ws.terminate();
    else peer.ws.ping();
  }
}

async function farewell(ws: WebSocket, goodbyeMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => ws.terminate(), goodbyeMs);
    ws.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    ws.resume(); // the peer's own close frame must be read
    ws.close(GOING_AWAY, 'the daemon is shutting down');
  });
}
