/** Our reader of websocket frames against the one of the `ws` library: whatever comes, cut anywhere, both say the same. */
import type { Writable } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';
import * as library from 'ws';
import { type Random, randomOf } from '../../../bench/fuzz/random.ts';
import { type Frame, FrameFault, FrameReader } from '../../../src/bridge/server/ws/frames.ts';

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
    told.closeCode = codes.find((code) => typeof code === 'number') as number;
    resolve();
  });
  receiver.on('finish', resolve);
  for (const chunk of chunks) receiver.write(Buffer.from(chunk));
  receiver.end();
  await promise;
  return told;
}

/** One frame as a client may send it. */
function frame(random: Random, opcode: number, payload: Buffer, isFinal: boolean): Buffer {
  const long = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + long);
  header[0] = (isFinal ? 0x80 : 0) | opcode;
  header[1] = 0x80 | (long === 0 ? payload.length : long === 2 ? 126 : 127);
  if (long === 2) header.writeUInt16BE(payload.length, 2);
  if (long === 8) header.writeBigUInt64BE(BigInt(payload.length), 2);
  const mask = random.chance(0.2) ? Buffer.alloc(4) : random.bytes(4);
  return Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i & 3]!)]);
}

/** Messages in frames, with control frames between the parts, as a lively client may send them. */
function conversation(random: Random): Buffer {
  const frames: Buffer[] = [];
  for (let message = random.below(6); message >= 0; message--) {
    const parts = random.chance(0.3) ? 1 + random.below(6) : 1;
    for (let part = 0; part < parts; part++) {
      const length = random.pick([0, 1, 5, 125, 126, 300, 5000, random.chance(0.05) ? 70_000 : 3]);
      const opcode = part > 0 ? 0 : random.pick([1, 2]);
      frames.push(frame(random, opcode, random.bytes(length), part === parts - 1));
      if (random.chance(0.2))
        frames.push(frame(random, random.pick([9, 10]), random.bytes(random.below(126)), true));
    }
  }
  if (random.chance(0.3))
    frames.push(frame(random, 8, random.pick([Buffer.alloc(0), Buffer.from('03e86279', 'hex')]), true));
  return Buffer.concat(frames);
}

function cut(random: Random, bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = random.pick([1, 2, 3, 7, 100, 4096, 65_536]);
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

/** Some bits turned, mostly near the front, where headers are. */
function mutated(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let n = 1 + random.below(4); n > 0 && copy.length > 0; n--)
    copy[Math.floor(copy.length * random.next() ** 3)]! ^= 1 << random.below(8);
  return copy;
}

describe('whole conversations', () => {
  test.each([1, 2, 3, 4])('seed %i', async (seed) => {
    const random = randomOf(seed);
    for (let round = 0; round < 150; round++) {
      const chunks = cut(random, conversation(random));
      const told = ours(chunks);
      expect(told).toEqual(await theirs(chunks));
      expect(told.closeCode).toBeNull();
    }
  });
});

describe('broken ones: the same until they break, and the same close code', () => {
  const codes = new Set<number | null>();
  test.each([5, 6, 7, 8])('seed %i', async (seed) => {
    const random = randomOf(seed);
    for (let round = 0; round < 200; round++) {
      const chunks = cut(random, mutated(random, conversation(random)));
      const [mine, other] = [ours(chunks), await theirs(chunks)];
      if (other.closeCode === 1009) continue; // the size of a message is not the reader's business
      expect(mine).toEqual(other);
      codes.add(mine.closeCode);
    }
  });
  afterAll(() => expect(codes).toContain(1002));
});
