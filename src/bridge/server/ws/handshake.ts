/** The upgrade of an HTTP request to a websocket (RFC 6455, section 4.2), without extensions: images do not shrink. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { fail } from '../../../errors/error.ts';

/** From the RFC: proves that the server understood the request as a websocket's. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** @throws BAD_REQUEST for what is no websocket upgrade of version 13 */
export function checkHandshake({ method, headers }: IncomingMessage): void {
  const key = headers['sec-websocket-key'];
  if (method !== 'GET') throw fail('BAD_REQUEST', { reason: `a websocket begins with GET, not ${method}` });
  if (!/^[+/0-9A-Za-z]{22}==$/.test(key ?? ''))
    throw fail('BAD_REQUEST', { reason: 'Sec-WebSocket-Key is missing or no 16 bytes in base64' });
  if (headers['sec-websocket-version'] !== '13')
    throw fail('BAD_REQUEST', { reason: 'Sec-WebSocket-Version: expected 13' });
}

/** Subprotocols that the client offers, most wanted first. */
export const offeredBy = ({ headers }: IncomingMessage): string[] =>
  (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);

/** Answers a checked request; from here on the socket speaks in frames. */
export function acceptUpgrade(request: IncomingMessage, socket: Duplex, protocol: string | undefined): void {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64');
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}
