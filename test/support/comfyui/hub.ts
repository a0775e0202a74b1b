/** Websocket clients of the fake host, with the real one's habits: one socket an id, nothing buffered. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { parseExact, writeLoose } from './json.ts';
import type { Settings } from './settings.ts';

interface Client {
  ws: WebSocket;
  /** Whether it asked for previews with metadata, by its first message. */
  metadata: boolean;
}

export interface Hub {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** To one client id, or to all when null. Frames for an absent id are dropped. */
  send(type: string, data: object, id: string | null): void;
  /** Raw frames, as they are. */
  sendRaw(frame: string | Uint8Array, id: string | null): void;
  /** A binary frame of type 4 where the client asked for it, else of type 1. */
  preview(image: Uint8Array, node: string, prompt: string, id: string | null): void;
  /** Resolves when the client of that id has read all that was sent, or is gone. */
  read(id: string | null): Promise<void>;
  /** Sockets stay open and hear nothing any more. */
  deafen(): void;
  /** Connections stay, and the host does not read or answer any more, as behind a cable that was pulled. */
  freeze(): void;
  /** Drops every connection without a goodbye. */
  cut(): void;
  /** Ids that are heard now. */
  ids(): string[];
  /** Connections that are open now. */
  readonly open: number;
  /** First message of every connection so far, in order. */
  readonly greetings: unknown[];
  /** Connections so far. */
  readonly connections: number;
  close(): void;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** A binary frame: its type, then the payload. */
export const binaryFrame = (type: number, ...parts: Uint8Array[]): Buffer =>
  Buffer.concat([u32(type), ...parts]);

/** Type 1: JPEG bytes alone. */
export const plainPreview = (image: Uint8Array): Buffer => binaryFrame(1, u32(1), image);

/** Type 4: whose image it is, then JPEG bytes. */
export function namedPreview(image: Uint8Array, node: string, prompt: string): Buffer {
  const about = Buffer.from(
    JSON.stringify({ node_id: node, prompt_id: prompt, display_node_id: node, image_type: 'image/jpeg' }),
  );
  return binaryFrame(4, u32(about.length), about, image);
}

/** @param greet called with the id of each new client, after its first `status` */
export function createHub(settings: Settings, queueInfo: () => object, greet: (id: string) => void): Hub {
  const clients = new Map<string, Client>();
  const sockets = new Set<WebSocket>();
  const greetings: unknown[] = [];
  const server = new WebSocketServer({ noServer: true });
  let connections = 0;

  const targets = (id: string | null): Client[] =>
    id === null ? [...clients.values()] : [clients.get(id)].filter((c) => c !== undefined);
  const write = (client: Client, frame: string | Uint8Array) => {
    if (client.ws.readyState === WebSocket.OPEN) client.ws.send(frame);
  };
  const hub: Hub = {
    greetings,
    get open() {
      return sockets.size;
    },
    get connections() {
      return connections;
    },
    upgrade(request, socket, head) {
      const id = new URL(request.url!, 'http://fake').searchParams.get('clientId') || crypto.randomUUID();
      server.handleUpgrade(request, socket, head, (ws) => welcome(ws, id));
    },
    send: (type, data, id) => hub.sendRaw(writeLoose({ type, data }), id),
    sendRaw(frame, id) {
      for (const client of targets(id)) write(client, frame);
    },
    preview(image, node, prompt, id) {
      for (const client of targets(id))
        write(client, client.metadata ? namedPreview(image, node, prompt) : plainPreview(image));
    },
    async read(id) {
      const open = targets(id).filter(({ ws }) => ws.readyState === WebSocket.OPEN);
      for (const { ws } of open) ws.ping();
      await Promise.all(open.map(({ ws }) => Promise.race([once(ws, 'pong'), once(ws, 'close')])));
    },
    deafen: () => clients.clear(),
    freeze() {
      for (const ws of sockets) ws.pause();
      clients.clear();
    },
    cut() {
      for (const ws of sockets) ws.terminate();
    },
    ids: () => [...clients.keys()],
    close() {
      hub.cut();
      server.close();
    },
  };

  function welcome(ws: WebSocket, id: string): void {
    const client: Client = { ws, metadata: false };
    connections++;
    sockets.add(ws);
    clients.set(id, client);
    hub.send('status', { status: queueInfo(), sid: id }, id);
    greet(id);
    ws.on('error', () => {});
    ws.once('message', (message) => takeGreeting(client, id, String(message)));
    ws.once('close', () => {
      sockets.delete(ws);
      // The real host forgets the id here, even when a newer socket has taken it over: that one goes deaf.
      setTimeout(() => clients.delete(id), settings.lateForgetMs);
    });
  }

  function takeGreeting(client: Client, id: string, text: string): void {
    const message = parseExact(text) as { type?: string; data?: { supports_preview_metadata?: boolean } };
    greetings.push(message);
    if (message.type !== 'feature_flags') return;
    client.metadata = message.data?.supports_preview_metadata === true;
    hub.send('feature_flags', { supports_preview_metadata: true, max_upload_size: 104857600 }, id);
  }
  return hub;
}
