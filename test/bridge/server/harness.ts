/** Starts a server with the fake service on a free port, and talks to it through real sockets. */
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { Packr } from 'msgpackr';
import { WebSocket } from 'ws';
import type { Route } from '../../../src/bridge/server/routes/route.ts';
import { type Server, startServer } from '../../../src/bridge/server/server.ts';
import type { Tuning } from '../../../src/bridge/server/tuning.ts';
import { type Config, loadConfig } from '../../../src/config.ts';
import type { Log } from '../../../src/log.ts';
import { createFakeService, type FakeService } from './fake-service.ts';

export interface Line {
  level: string;
  [field: string]: unknown;
}

export interface Rig {
  server: Server;
  service: FakeService;
  lines: Line[];
}

const open: (() => Promise<void>)[] = [];

/** For `afterEach`: closes what the test opened. */
export async function closeAll(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
}

function recordingLog(lines: Line[]): Log {
  const at = (level: string) => (fields: object) => lines.push({ level, ...fields });
  const log = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  };
  return log as unknown as Log;
}

export async function start(
  flags: object = {},
  tuning: Partial<Tuning> = {},
  routes?: readonly Route[],
): Promise<Rig> {
  const service = createFakeService();
  const lines: Line[] = [];
  const config: Config = loadConfig({ port: 0, dataDir: tmpdir(), ...flags }, undefined, {});
  const log = recordingLog(lines);
  const server = await startServer({ config, log, service, version: '9.9.9', tuning, routes });
  open.push(() => server.close({ drainTimeoutMs: 0 }));
  return { server, service, lines };
}

/** Resolves when `check` holds; a test that waits for what never comes fails by name. */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const packr = new Packr({ useRecords: false });
export const b64 = (...bytes: number[]): string => Buffer.from(bytes).toString('base64');

/** An image of `share` 0..255: the fake service reads the first byte. */
export const image = (byte: number): { image: string } => ({ image: b64(byte) });

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
}

async function replyOf(response: IncomingMessage): Promise<Reply> {
  const bytes = await buffer(response);
  const { statusCode, headers } = response;
  return { status: statusCode!, headers, bytes, body: decode(headers, bytes) };
}

/** One request over a connection of its own, with full control of the headers. */
export function ask(
  { server }: Rig,
  path: string,
  { method = 'GET', headers = {}, body, signal }: Ask = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { host, port } = server;
    const outgoing = httpRequest({ host, port, path, method, headers, agent: false, signal }, (response) => {
      replyOf(response).then(resolve, reject);
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

function decode(headers: IncomingHttpHeaders, bytes: Buffer): unknown {
  const type = headers['content-type'] ?? '';
  if (type.includes('msgpack')) return packr.unpack(bytes);
  return type.includes('json') ? JSON.parse(bytes.toString()) : bytes.toString();
}

export const post = (
  rig: Rig,
  path: string,
  value: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> =>
  ask(rig, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof value === 'string' ? value : JSON.stringify(value),
  });

export const pack = (
  rig: Rig,
  path: string,
  value: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> =>
  ask(rig, path, {
    method: 'POST',
    headers: { 'content-type': 'application/msgpack', accept: 'application/msgpack', ...headers },
    body: value instanceof Uint8Array ? value : packr.pack(value),
  });

export async function form(rig: Rig, path: string, parts: FormData): Promise<Reply> {
  const response = new Response(parts);
  const body = new Uint8Array(await response.arrayBuffer());
  return ask(rig, path, {
    method: 'POST',
    headers: { 'content-type': response.headers.get('content-type')! },
    body,
  });
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape
export type Message = any;

export interface Peer {
  ws: WebSocket;
  inbox: Message[];
  send(message: object | string | Uint8Array): void;
  /** The first message that fits, now or later; it leaves the inbox. */
  next(what: string, fits?: (message: Message) => boolean): Promise<Message>;
  answer(id: string | number): Promise<Message>;
  closed: Promise<{ code: number; reason: string }>;
}

export interface Dial {
  protocol?: string;
  headers?: Record<string, string>;
  autoPong?: boolean;
}

export async function dial(
  rig: Rig,
  { protocol = 'assay.v1.json', headers, autoPong = true }: Dial = {},
): Promise<Peer> {
  const url = `ws://${rig.server.host}:${rig.server.port}/v1/ws`;
  const ws = new WebSocket(url, protocol === '' ? [] : [protocol], { headers, autoPong });
  const inbox: Message[] = [];
  ws.on('message', (data, isBinary) =>
    inbox.push(isBinary ? packr.unpack(data as Buffer) : JSON.parse(String(data))),
  );
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  open.push(async () => ws.terminate());
  await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject));
  ws.on('error', () => {});
  const next: Peer['next'] = async (what, fits = () => true) => {
    await until(what, () => inbox.some(fits));
    return inbox.splice(inbox.findIndex(fits), 1)[0];
  };
  const encode = (message: object) =>
    protocol.endsWith('msgpack') ? packr.pack(message) : JSON.stringify(message);
  const send: Peer['send'] = (message) =>
    ws.send(typeof message === 'string' || message instanceof Uint8Array ? message : encode(message));
  return { ws, inbox, send, next, closed, answer: (id) => next(`answer ${id}`, (m) => m.id === id) };
}

/** Status and body of a refused websocket upgrade. */
export function dialRefused(
  rig: Rig,
  { headers, protocol }: Dial & { path?: string } = {},
  path = '/v1/ws',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const url = `ws://${rig.server.host}:${rig.server.port}${path}`;
    const ws = new WebSocket(url, protocol ? [protocol] : [], { headers });
    ws.once('open', () => reject(new Error('the upgrade was accepted')));
    ws.once('error', reject);
    ws.once('unexpected-response', (_, response) => {
      replyOf(response).then(resolve, reject);
    });
  });
}
