/** Our reader of websocket frames against the one of the `ws` library: whatever comes, cut anywhere, both say the same. */
import type { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as library from 'ws';
import { CLOSE, type Frame, FrameFault, FrameReader } from '../../../src/bridge/server/ws/frames.ts';
import { bytes, spoilt } from '../../support/arbitrary.ts';

/** Not in the types of the library. */
const { Receiver } = library as unknown as { Receiver: new (options: object) => Writable };

interface Told {
  messages: string[];
  closeCode: number | null;
}

const MAX_PAYLOAD = 2 ** 20;

/** What our reader tells, when the bytes come in the given chunks. */
function ours(chunks: Buffer[]): Told {
  const told: Told = { messages: [], closeCode: null };
  let parts: Buffer[] = [];
  const tell = (frame: Frame): void => {
    if (frame.kind !== 'data') {
      told.messages.push(`${frame.kind} ${frame.payload.toString('hex')}`);
      return;
    }
    expect(frame.isFirst).toBe(parts.length === 0);
    parts.push(Buffer.from(frame.bytes));
    if (!frame.isLast) return;
    expect(frame.left).toBe(0);
    told.messages.push(`${frame.isText ? 'text' : 'binary'} ${Buffer.concat(parts).toString('hex')}`);
    parts = [];
  };
  try {
    for (const frame of framesOf(chunks)) tell(frame);
  } catch (error) {
    if (!(error instanceof FrameFault)) throw error;
    told.closeCode = error.closeCode;
  }
  return told;
}

/** Up to the goodbye. */
function* framesOf(chunks: Buffer[]): Generator<Frame> {
  const reader = new FrameReader();
  for (const chunk of chunks) {
    reader.feed(Buffer.from(chunk));
    for (let frame = reader.next(); frame; frame = reader.next()) {
      yield frame;
      if (frame.kind === 'close') return;
    }
  }
}

/** What the library tells. */
async function theirs(chunks: Buffer[]): Promise<Told> {
  const told: Told = { messages: [], closeCode: null };
  const receiver = new Receiver({
    isServer: true,
    maxPayload: MAX_PAYLOAD,
    skipUTF8Validation: true,
    allowSynchronousEvents: true,
  });
  const hex = (data: Buffer) => Buffer.from(data).toString('hex');
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    told.messages.push(`${isBinary ? 'binary' : 'text'} ${hex(data)}`),
  );
  receiver.on('ping', (data: Buffer) => told.messages.push(`ping ${hex(data)}`));
  receiver.on('pong', (data: Buffer) => told.messages.push(`pong ${hex(data)}`));
  receiver.on('conclude', (code: number, reason: Buffer) => {
    const codeBytes = Buffer.alloc(code === 1005 ? 0 : 2);
    if (code !== 1005) codeBytes.writeUInt16BE(code);
    told.messages.push(`close ${hex(Buffer.concat([codeBytes, reason]))}`);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  receiver.on('error', (error: Error) => {
    const codes = Object.getOwnPropertySymbols(error).map((s) => (error as never)[s] as unknown);
    told.closeCode = (codes.find((code) => typeof code === 'number') as number) ?? null; // none: bytes behind a goodbye
    resolve();
  });
  receiver.on('finish', resolve);
  for (const chunk of chunks) receiver.write(Buffer.from(chunk));
  receiver.end();
  await promise;
  return told;
}

/** One frame as a client may send it. */
function frame(opcode: number, payload: Buffer, isFinal: boolean, mask: Uint8Array): Buffer {
  const long = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + long);
  header[0] = (isFinal ? 0x80 : 0) | opcode;
  header[1] = 0x80 | (long === 0 ? payload.length : long === 2 ? 126 : 127);
  if (long === 2) header.writeUInt16BE(payload.length, 2);
  if (long === 8) header.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i & 3]!)]);
}

const mask = fc.uint8Array({ minLength: 4, maxLength: 4 });
const filled = fc.constantFrom(125, 126, 300, 5000, 65_535, 65_536, 70_000).map((n) => Buffer.alloc(n, 7));
const part = fc.record({
  payload: fc.oneof({ arbitrary: bytes(20), weight: 19 }, filled),
  mask,
  control: fc.option(fc.record({ opcode: fc.constantFrom(9, 10), payload: bytes(125) }), { freq: 4 }),
});
const message = fc
  .record({ opcode: fc.constantFrom(1, 2), parts: fc.array(part, { minLength: 1, maxLength: 5 }) })
  .map(({ opcode, parts }) =>
    parts.map(({ payload, mask, control }, i) =>
      Buffer.concat([
        frame(i > 0 ? 0 : opcode, payload, i === parts.length - 1, mask),
        control ? frame(control.opcode, control.payload, true, mask) : Buffer.alloc(0),
      ]),
    ),
  );
const goodbye = fc
  .constantFrom('', '03e86279')
  .map((hex) => frame(8, Buffer.from(hex, 'hex'), true, Buffer.alloc(4)));

/** Messages in frames, with control frames between the parts, as a lively client may send them. */
const conversation = fc
  .tuple(fc.array(message, { maxLength: 4 }), fc.option(goodbye, { freq: 2 }))
  .map(([messages, bye]) => Buffer.concat([...messages.flat(), ...(bye ? [bye] : [])]));

/** Sizes of the chunks that bytes come in, over and over. */
const sizes = fc.array(fc.constantFrom(1, 2, 3, 7, 100, 4096, 65_536), { minLength: 1, maxLength: 5 });

function cut(bytes: Buffer, sizes: number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    // large ones would take long byte by byte
    const size = Math.max(sizes[turn % sizes.length]!, Math.ceil(bytes.length / 200));
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

test('of whole conversations', async () => {
  await fc.assert(
    fc.asyncProperty(conversation, sizes, async (given, cuts) => {
      const chunks = cut(given, cuts);
      const told = ours(chunks);
      expect(told).toEqual(await theirs(chunks));
      expect(told.closeCode).toBeNull();
    }),
    { numRuns: 200 },
  );
});

/** Of a close frame with one byte; that is told before the byte comes. */
const halfACode = Buffer.from([0x88, 0x81, 0, 0, 0, 0]);

test('of broken ones until they break, and the same close code', async () => {
  const codes = new Set<number | null>();
  await fc.assert(
    fc.asyncProperty(fc.oneof(bytes(), spoilt(conversation)), sizes, async (given, cuts) => {
      const chunks = cut(given, cuts);
      const [mine, other] = [ours(chunks), await theirs(chunks)];
      if (other.closeCode === 1009) return; // the size of a message is not the reader's business
      // the library was told not to look at characters
      if (mine.closeCode === CLOSE.notUtf8)
        expect(mine.messages).toEqual(other.messages.slice(0, mine.messages.length));
      else expect(mine).toEqual(other);
      codes.add(mine.closeCode);
    }),
    { numRuns: 400, examples: [[halfACode, [1]]] },
  );
  expect(codes).toContain(1002);
});
