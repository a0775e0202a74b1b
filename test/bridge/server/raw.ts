/** Bare connections for tests: bytes as they are, sent as slowly and as incompletely as the test wants. */
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Rig } from './harness.ts';

export interface Bare {
  socket: Socket;
  /** All that came so far. */
  heard(): string;
  closed: Promise<void>;
}

export function bare({ server }: Rig, first: string | Buffer): Bare {
  const socket = connect(server.port, server.host);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(first);
  onTestFinished(() => void socket.destroy());
  return { socket, heard: () => Buffer.concat(chunks).toString('latin1'), closed };
}

export const postHead = ({ server }: Rig, more: string, type = 'application/json'): string =>
  `POST /v1/score HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\ncontent-type: ${type}\r\n${more}\r\n\r\n`;

export const upgradeHead = ({ server }: Rig, protocol = 'assay.v1.json'): string =>
  [
    'GET /v1/ws HTTP/1.1',
    `host: 127.0.0.1:${server.port}`,
    'upgrade: websocket',
    'connection: Upgrade',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${Buffer.alloc(16, 7).toString('base64')}`,
    `sec-websocket-protocol: ${protocol}`,
    '\r\n',
  ].join('\r\n');

/** The beginning of a frame whose mask is zeros. */
export function frameHead(length: number, opcode = 1, isFinal = true): Buffer {
  const head = Buffer.alloc(14);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

export const frameOf = (text: string, opcode = 1, isFinal = true): Buffer =>
  Buffer.concat([frameHead(Buffer.byteLength(text), opcode, isFinal), Buffer.from(text)]);
