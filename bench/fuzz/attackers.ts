/** Who attacks: senders of frames and bodies, connections cut anywhere, and those that never finish. */
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { bodyOf, frameOf, framesOf, messageBytes, type Protocol } from './messages.ts';
import type { Random } from './random.ts';

export interface Target {
  host: string;
  port: number;
}

/** Answers by status of HTTP, or `none`. */
export type Tally = Map<string, number>;

const count = (tally: Tally, what: string): void => void tally.set(what, (tally.get(what) ?? 0) + 1);

/** How long a connection is given to take what it is sent. */
const PATIENCE_MS = 5000;

function upgradeHead(random: Random, { host, port }: Target, protocol: Protocol): string {
  return [
    'GET /v1/ws HTTP/1.1',
    `host: ${host}:${port}`,
    'upgrade: websocket',
    'connection: Upgrade',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${random.bytes(16).toString('base64')}`,
    `sec-websocket-protocol: ${protocol}`,
    '\r\n',
  ].join('\r\n');
}

const postHead = ({ host, port }: Target, type: string, length: string): string =>
  `POST /v1/score HTTP/1.1\r\nhost: ${host}:${port}\r\ncontent-type: ${type}\r\n${length}\r\n\r\n`;

const anyProtocol = (random: Random): Protocol => random.pick(['assay.v1.json', 'assay.v1.msgpack'] as const);

function open({ host, port }: Target): Socket {
  const socket = connect(port, host);
  socket.on('error', () => {}); // resets are what we ask for
  socket.resume();
  return socket;
}

/** Settles when the other side has closed, or has had its time. */
async function closed(socket: Socket, withinMs: number): Promise<void> {
  if (socket.destroyed) return;
  const signal = AbortSignal.timeout(withinMs);
  await once(socket, 'close', { signal }).catch(() => {});
  socket.destroy();
}

/** Sends frames over one connection, then a goodbye. @returns how many it sent */
export async function sendFrames(random: Random, target: Target): Promise<number> {
  const protocol = anyProtocol(random);
  const socket = open(target);
  socket.write(upgradeHead(random, target, protocol));
  let sent = 0;
  for (let messages = 5 + random.below(30); messages > 0 && !socket.destroyed; messages--) {
    const frames = framesOf(random, protocol);
    sent += frames.length;
    if (!socket.write(Buffer.concat(frames)))
      await once(socket, 'drain', { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => {});
  }
  socket.write(frameOf(random, 8, Buffer.from([3, 232]), true));
  await closed(socket, PATIENCE_MS);
  return sent;
}

export const keepAlive = (): Agent => new Agent({ keepAlive: true, maxSockets: 16 });

/** Posts one body and reads the answer. */
export async function sendBody(random: Random, target: Target, agent: Agent, tally: Tally): Promise<void> {
  const { type, bytes } = bodyOf(random);
  const path = random.pick(['/v1/score', '/v1/score', '/v1/rank']);
  const signal = AbortSignal.timeout(2 * PATIENCE_MS);
  const request = httpRequest({
    ...target,
    path,
    method: 'POST',
    agent,
    headers: { 'content-type': type },
    signal,
  });
  const answered = once(request, 'response');
  request.end(bytes);
  try {
    const [response] = await answered;
    response.resume();
    await once(response, 'end');
    count(tally, String(response.statusCode));
  } catch {
    count(tally, 'none');
  }
}

/** A whole exchange as bytes. */
function exchange(random: Random, target: Target): Buffer {
  const protocol = anyProtocol(random);
  if (random.chance(0.5))
    return Buffer.concat([Buffer.from(upgradeHead(random, target, protocol)), ...framesOf(random, protocol)]);
  const { type, bytes } = bodyOf(random);
  return Buffer.concat([Buffer.from(postHead(target, type, `content-length: ${bytes.length}`)), bytes]);
}

/** Sends a part of an exchange and leaves, politely or not. */
export async function cutConnection(random: Random, target: Target): Promise<void> {
  const bytes = exchange(random, target);
  const socket = open(target);
  socket.write(bytes.subarray(0, random.below(bytes.length + 1)));
  await new Promise((resolve) => setTimeout(resolve, random.below(20)));
  if (random.chance(0.5)) socket.resetAndDestroy();
  else socket.end();
  await closed(socket, PATIENCE_MS);
}

/** Announces much, sends little, until it is thrown out or told to stop; then begins again. */
export async function sendSlowly(random: Random, target: Target, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = open(target);
    const stop = () => void socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    socket.write(slowStart(random, target));
    const drip = setInterval(() => socket.write(random.pick(['', '0', ' ', 'A'])), 100);
    await once(socket, 'close').catch(() => {});
    clearInterval(drip);
    signal.removeEventListener('abort', stop);
  }
}

const MUCH = 200 * 2 ** 20;

function slowStart(random: Random, target: Target): Buffer {
  const frame = Buffer.alloc(14);
  frame.writeUInt16BE(0x81ff, 0);
  frame.writeBigUInt64BE(BigInt(MUCH), 2);
  const some = Buffer.alloc(random.below(2 ** 21), 65);
  return random.pick([
    () => Buffer.from(postHead(target, 'application/json', `content-length: ${MUCH}`).slice(0, -2)), // headers that do not end
    () => Buffer.concat([Buffer.from(postHead(target, 'application/json', `content-length: ${MUCH}`)), some]),
    () =>
      Buffer.concat([
        Buffer.from(postHead(target, 'application/msgpack', 'transfer-encoding: chunked')),
        Buffer.from('a00000\r\n'),
        some,
      ]),
    () => Buffer.concat([Buffer.from(upgradeHead(random, target, 'assay.v1.json')), frame, some]),
    () =>
      Buffer.concat([
        Buffer.from(upgradeHead(random, target, 'assay.v1.json')),
        frameOf(random, 1, messageBytes(random, 'assay.v1.json'), false),
      ]),
  ])();
}
