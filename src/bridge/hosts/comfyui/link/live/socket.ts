/** One websocket connection to the host: the greeting, signs of life, a full close. Who reconnects is in live.ts. */
import { WebSocket } from 'ws';
import type { Tuning } from '../../../tuning.ts';

export interface Socket {
  /** Resolves when the connection is gone, for whatever reason, with that reason. */
  readonly closed: Promise<string>;
  /** Says goodbye, and resolves when the connection is gone. */
  close(): Promise<void>;
}

export interface SocketOptions {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Longest message, in bytes. */
  maxBytes: number;
  tuning: Tuning;
  /** Ends the attempt, not the connection. */
  signal: AbortSignal;
  onFrame(bytes: Uint8Array, isBinary: boolean): void;
}

/** It must come first on every connection: the host reads no other message. */
const GREETING = JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: true } });
/** Longest wait for the other side's goodbye. */
const GOODBYE_MS = 1000;

/**
 * Resolves when the host has sent its first message, which is what tells an open socket from a heard one.
 *
 * @throws Error within `openMs`
 */
export async function openSocket(options: SocketOptions): Promise<Socket> {
  const { url, headers, maxBytes, tuning } = options;
  const ws = new WebSocket(url, {
    headers,
    maxPayload: maxBytes,
    perMessageDeflate: false, // previews are JPEG already
    handshakeTimeout: tuning.openMs,
  });
  const closed = closing(ws);
  const heard = Promise.withResolvers<void>();
  const stopPings = keepAlive(ws, tuning.pingMs);
  ws.once('open', () => ws.send(GREETING));
  ws.on('message', (data, isBinary) => {
    heard.resolve();
    options.onFrame(data as Buffer, isBinary);
  });
  const socket: Socket = { closed, close: () => close(ws, closed) };
  void closed.then((reason) => {
    stopPings();
    heard.reject(new Error(reason));
  });
  const giveUp = () => heard.reject(new Error('nothing was heard in time'));
  const timer = setTimeout(giveUp, tuning.openMs);
  options.signal.addEventListener('abort', giveUp);
  try {
    await heard.promise;
    return socket;
  } catch (error) {
    await socket.close();
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', giveUp);
  }
}

function closing(ws: WebSocket): Promise<string> {
  let reason = 'the host closed the connection';
  ws.on('error', (error) => {
    reason = error.message || (error as { code?: string }).code || 'the connection failed';
  });
  return new Promise((resolve) => ws.once('close', () => resolve(reason)));
}

/** The host sends no pings, so half-open connections are found by asking. */
function keepAlive(ws: WebSocket, pingMs: number): () => void {
  let isAlive = true;
  const mark = () => {
    isAlive = true;
  };
  ws.on('pong', mark).on('message', mark);
  const timer = setInterval(() => {
    if (ws.readyState !== WebSocket.OPEN) return;
    if (!isAlive) return ws.terminate();
    isAlive = false;
    ws.ping();
  }, pingMs);
  return () => clearInterval(timer);
}

async function close(ws: WebSocket, closed: Promise<string>): Promise<void> {
  const timer = setTimeout(() => ws.terminate(), GOODBYE_MS);
  ws.close();
  await closed;
  clearTimeout(timer);
}
