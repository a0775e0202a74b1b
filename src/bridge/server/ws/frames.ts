/**
 * Websocket frames (RFC 6455) from the bytes of a socket, of data frames each part as it arrives.
 *
 * Libraries hand out whole messages: by then a quarter of a gigabyte lies in memory that nobody has counted, and
 * unmasking and joining it stops the event loop for half a second.
 */
import { isUtf8 } from 'node:buffer';
import bufferutil from 'bufferutil';

/** Close codes of RFC 6455. */
export const CLOSE = {
  goingAway: 1001,
  protocol: 1002,
  notUtf8: 1007,
  policy: 1008,
  tooBig: 1009,
  internal: 1011,
} as const;

export type Frame =
  | {
      kind: 'data';
      isText: boolean;
      /** Part of a frame; part of a message. */
      bytes: Buffer;
      isFirst: boolean;
      isLast: boolean;
      /** Bytes of the message still to come; Infinity while further frames may follow. */
      left: number;
    }
  | { kind: 'ping' | 'pong' | 'close'; payload: Buffer };

/** What a peer did that no websocket may do. */
export class FrameFault extends Error {
  readonly closeCode: number;

  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CONTROLS = new Map<number, 'close' | 'ping' | 'pong'>([
  [8, 'close'],
  [9, 'ping'],
  [10, 'pong'],
]);
export const MAX_CONTROL_BYTES = 125;
/** Two bytes, eight of an extended length, four of a mask. */
const MAX_HEADER_BYTES = 14;

interface Head {
  opcode: number;
  isFinal: boolean;
  mask: Buffer;
  length: number;
}

export class FrameReader {
  #chunk: Buffer = Buffer.alloc(0);
  readonly #header = Buffer.alloc(MAX_HEADER_BYTES);
  #headerBytes = 0;
  #head: Head | null = null;
  /** Payload bytes of the current frame still to come. */
  #left = 0;
  #control: Buffer[] = [];
  /** The kind of the message whose frames come; null between messages. */
  #message: { isText: boolean; isFirst: boolean } | null = null;

  /** Takes the next bytes, once `next` has told all of those before. They are unmasked in place. */
  feed(chunk: Buffer): void {
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
  }

  /** The next frame or part of one; null when more bytes are needed. @throws FrameFault */
  next(): Frame | null {
    for (;;) {
      const head = this.#head ?? this.#readHead();
      if (head === null) return null;
      if (this.#chunk.length === 0 && this.#left > 0) return null;
      const frame = CONTROLS.has(head.opcode) ? this.#takeControl(head) : this.#takeData(head);
      if (frame) return frame;
    }
  }

  #readHead(): Head | null {
    const header = this.#header;
    let size = headerSize(header, this.#headerBytes);
    for (; this.#headerBytes < size; size = headerSize(header, this.#headerBytes)) {
      if (this.#chunk.length === 0) return null;
      const bytes = this.#cut(size - this.#headerBytes);
      bytes.copy(header, this.#headerBytes);
      this.#headerBytes += bytes.length;
      if (this.#headerBytes === 2) this.#check(header[0]!, header[1]!);
    }
    const head = parseHead(header, this.#headerBytes);
    this.#headerBytes = 0;
    this.#begin(head);
    return head;
  }

  #check(first: number, second: number): void {
    const opcode = first & 0x0f;
    const fault = faultOf(first, second, opcode);
    if (fault) throw new FrameFault(CLOSE.protocol, fault);
    if (CONTROLS.has(opcode) || (opcode === CONTINUATION) === (this.#message !== null)) return;
    throw new FrameFault(CLOSE.protocol, 'a continuation without a beginning, or a beginning without an end');
  }

  #begin(head: Head): void {
    this.#head = head;
    this.#left = head.length;
    if (CONTROLS.has(head.opcode)) return;
    this.#message ??= { isText: head.opcode === TEXT, isFirst: true };
  }

  #takeControl(head: Head): Frame | null {
    this.#control.push(Buffer.from(this.#payload(head)));
    if (this.#left > 0) return null;
    const payload = Buffer.concat(this.#control);
    this.#control = [];
    this.#head = null;
    const kind = CONTROLS.get(head.opcode)!;
    if (kind === 'close') checkClose(payload);
    return { kind, payload };
  }

  #takeData(head: Head): Frame {
    const bytes = this.#payload(head);
    const { isText, isFirst } = this.#message!;
    const isLast = head.isFinal && this.#left === 0;
    const left = head.isFinal ? this.#left : Number.POSITIVE_INFINITY;
    if (this.#left === 0) this.#head = null;
    this.#message = isLast ? null : { isText, isFirst: false };
    return { kind: 'data', isText, bytes, isFirst, isLast, left };
  }

  #payload(head: Head): Buffer {
    const bytes = this.#cut(this.#left);
    this.#left -= bytes.length;
    unmask(bytes, head.mask);
    head.mask = rotated(head.mask, bytes.length);
    return bytes;
  }

  #cut(bytes: number): Buffer {
    const part = this.#chunk.subarray(0, bytes);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }
}

/** How long the header is, as far as its first bytes tell. */
function headerSize(header: Buffer, known: number): number {
  if (known < 2) return 2;
  const short = header[1]! & 0x7f;
  const extended = short === 127 ? 8 : short === 126 ? 2 : 0;
  return 2 + extended + (header[1]! & 0x80 ? 4 : 0);
}

const parseHead = (header: Buffer, size: number): Head => ({
  opcode: header[0]! & 0x0f,
  isFinal: (header[0]! & 0x80) !== 0,
  length: lengthOf(header),
  mask: Buffer.from(header.subarray(size - 4, size)),
});

function lengthOf(header: Buffer): number {
  const short = header[1]! & 0x7f;
  if (short < 126) return short;
  return short === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
}

function faultOf(first: number, second: number, opcode: number): string | undefined {
  if (first & 0x70) return 'reserved bits are set, and no extension was agreed on';
  if ((second & 0x80) === 0) return 'a frame of a client must be masked';
  if (!CONTROLS.has(opcode)) return opcode > BINARY ? `opcode ${opcode} is not known` : undefined;
  const length = second & 0x7f;
  if (!(first & 0x80) || length > MAX_CONTROL_BYTES) return 'a control frame is whole and short';
  return CONTROLS.get(opcode) === 'close' && length === 1 ? 'half a close code' : undefined;
}

function checkClose(payload: Buffer): void {
  if (payload.length === 0) return;
  const code = payload.length >= 2 ? payload.readUInt16BE(0) : 0;
  const isKnown = (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || isPrivate(code);
  if (!isKnown) throw new FrameFault(CLOSE.protocol, `close code ${code}`);
  if (!isUtf8(payload.subarray(2))) throw new FrameFault(CLOSE.notUtf8, 'the reason is not UTF-8');
}

const isPrivate = (code: number): boolean => code >= 3000 && code <= 4999;

const rotated = (mask: Buffer, by: number): Buffer =>
  by % 4 === 0 ? mask : Buffer.from([0, 1, 2, 3].map((i) => mask[(i + by) % 4]!));

/** In place. Zeros, which spare a local client the work, cost nothing. */
function unmask(bytes: Buffer, mask: Buffer): void {
  if (mask.readUInt32LE(0) !== 0) bufferutil.unmask(bytes, mask);
}
