/**
 * What the attackers send: messages as they should be, then spoilt. Their images are all broken or too small, so that
 * they end before inference: a fair share of the model is no attack.
 */
import { Packr } from 'msgpackr';
import type { Random } from './random.ts';

const packr = new Packr({ useRecords: false });

/** Names and values that have hurt somebody. */
const ODD = [
  null,
  true,
  -1,
  0,
  1e308,
  '',
  '\u0000',
  'x'.repeat(5000),
  [],
  {},
  [[[[]]]],
  '__proto__',
  'constructor',
  2 ** 53,
];
const ODD_KEYS = ['__proto__', 'constructor', 'toString', 'items', 'image', 'id', '', 'length', 'then'];

type Bytes = (bytes: Buffer) => unknown;

/** Base64 in JSON, binary in MessagePack. */
const AS_BASE64: Bytes = (bytes) => bytes.toString('base64');
const AS_BINARY: Bytes = (bytes) => bytes;

function badImage(random: Random, as: Bytes): unknown {
  const png = Buffer.concat([
    Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
    random.bytes(random.below(60)),
  ]);
  const raw = (data: Buffer) => ({
    format: 'rgb8',
    width: random.below(6),
    height: random.below(6),
    data: as(data),
  });
  return random.pick([
    () => as(png),
    () => as(random.bytes(random.below(40))),
    () => as(Buffer.alloc(random.below(20_000), 7)),
    () => raw(random.bytes(random.below(80))),
    () => random.pick(ODD),
  ])();
}

function requestOf(random: Random, as: Bytes): Record<string, unknown> {
  const items = Array.from({ length: 1 + random.below(4) }, (_, i) => ({
    ...(random.chance(0.5) ? { id: `i${i}` } : {}),
    ...(random.chance(0.3) ? { prompt: random.pick(['a cat', null, '😀', 'x'.repeat(9000)]) } : {}),
    image: badImage(random, as),
  }));
  return random.chance(0.2)
    ? { prompt: 'a dog', scorer: random.pick(['assay-lite', 'toString']), items }
    : { items };
}

function messageOf(random: Random, as: Bytes): Record<string, unknown> {
  const id = random.pick([random.below(50), `m${random.below(50)}`]);
  const op = random.pick(['ping', 'ping', 'score', 'score', 'rank', 'cancel', 'subscribe', 'toString']);
  if (op === 'score' || op === 'rank') return { id, op, ...requestOf(random, as) };
  return op === 'cancel' ? { id, op, target: random.below(50) } : { id, op };
}

/** One field somewhere put in, taken out or given an odd value. */
function withOddField(random: Random, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value) || random.chance(0.2))
    return random.pick(ODD);
  if (Array.isArray(value))
    return value.map((inner) => (random.chance(0.5) ? withOddField(random, inner) : inner));
  const entries = Object.entries(value).filter(() => random.chance(0.9));
  const [key, inner] = entries.length > 0 ? random.pick(entries) : ['id', 0];
  const [name, odd] = random.chance(0.5)
    ? [key, withOddField(random, inner)]
    : [random.pick(ODD_KEYS), random.pick(ODD)];
  return Object.fromEntries([...entries, [name, odd]]);
}

/** Bits turned, bytes cut off, doubled or made up. */
export function spoilt(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  return random.pick([
    () => flipped(random, bytes),
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(30)), bytes.subarray(at)]),
    () => Buffer.concat([bytes, bytes.subarray(at)]),
    () => random.bytes(random.below(200)),
  ])();
}

function flipped(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let n = 1 + random.below(5); n > 0 && copy.length > 0; n--)
    copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return copy;
}

/** A third as it should be, a third of the wrong shape, a third of wrong bytes. */
function encoded(random: Random, value: unknown, encode: (value: unknown) => Buffer): Buffer {
  const kind = random.below(3);
  if (kind === 0) return encode(value);
  return kind === 1 ? encode(withOddField(random, value)) : spoilt(random, encode(value));
}

const toJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value) ?? '');
const toMsgpack = (value: unknown): Buffer => packr.pack(value);

export type Protocol = 'assay.v1.json' | 'assay.v1.msgpack';

/** A websocket message. */
export function messageBytes(random: Random, protocol: Protocol): Buffer {
  if (protocol === 'assay.v1.json') return encoded(random, messageOf(random, AS_BASE64), toJson);
  return encoded(random, messageOf(random, AS_BINARY), toMsgpack);
}

const BOUNDARY = 'fuzz';

function multipart(random: Random): Buffer {
  const part = (headers: string, body: Buffer | string): Buffer =>
    Buffer.concat([
      Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; ${headers}\r\n\r\n`),
      Buffer.from(body),
      Buffer.from('\r\n'),
    ]);
  const files = Array.from({ length: random.below(5) }, (_, i) =>
    part(
      `name="f${i}"; filename="${random.pick(['a.png', '../../x', 'ü', ''])}"`,
      random.bytes(random.below(100)),
    ),
  );
  const request = { items: files.map((_, i) => ({ id: `${i}` })) };
  const field = random.chance(0.6) ? [part('name="request"', encoded(random, request, toJson))] : [];
  return Buffer.concat([...field, ...files, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

export interface Body {
  type: string;
  bytes: Buffer;
}

/** An HTTP body of any of the three kinds. */
export function bodyOf(random: Random): Body {
  return random.pick([
    () => ({ type: 'application/json', bytes: encoded(random, requestOf(random, AS_BASE64), toJson) }),
    () => ({ type: 'application/msgpack', bytes: encoded(random, requestOf(random, AS_BINARY), toMsgpack) }),
    () => {
      const bytes = multipart(random);
      return {
        type: `multipart/form-data; boundary=${BOUNDARY}`,
        bytes: random.chance(0.5) ? spoilt(random, bytes) : bytes,
      };
    },
  ])();
}

/** A frame as a client may send it, its mask zero or not. */
export function frameOf(random: Random, opcode: number, payload: Buffer, isFinal: boolean): Buffer {
  const long = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + long);
  header[0] = (isFinal ? 0x80 : 0) | opcode;
  header[1] = 0x80 | (long === 0 ? payload.length : long === 2 ? 126 : 127);
  if (long === 2) header.writeUInt16BE(payload.length, 2);
  if (long === 8) header.writeBigUInt64BE(BigInt(payload.length), 2);
  const mask = random.chance(0.3) ? Buffer.alloc(4) : random.bytes(4);
  return Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i & 3]!)]);
}

/** Frames of one message: whole or in parts, controls between them, now and then broken. */
export function framesOf(random: Random, protocol: Protocol): Buffer[] {
  const message = messageBytes(random, protocol);
  const kind = protocol === 'assay.v1.json' ? 1 : 2;
  const parts = random.chance(0.2) ? 1 + random.below(5) : 1;
  const size = Math.ceil(message.length / parts);
  const frames = Array.from({ length: parts }, (_, i) =>
    frameOf(random, i === 0 ? kind : 0, message.subarray(i * size, (i + 1) * size), i === parts - 1),
  );
  if (random.chance(0.1))
    frames.splice(
      random.below(frames.length + 1),
      0,
      frameOf(random, 9, random.bytes(random.below(126)), true),
    );
  if (random.chance(0.05)) frames.push(spoilt(random, frames[0]!));
  return frames;
}
