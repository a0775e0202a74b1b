/** One websocket, our end: frames in, bit by bit; messages, pings and the farewell out. What they mean is elsewhere. */
import type { Socket } from 'node:net';
import { turn } from '../../turn.ts';
import { CLOSE, type Frame, FrameFault, FrameReader, MAX_CONTROL_BYTES } from './frames.ts';
import type { Outbox } from './outbox.ts';

export type DataFrame = Extract<Frame, { kind: 'data' }>;

/** What a websocket tells. `data` returns a promise when nothing is to be read until it settles. */
export interface Listener {
  data(frame: DataFrame): Promise<void> | undefined;
  closed(): void;
  /** What should not have been thrown. The connection is closed; all others live on. */
  failed(error: unknown): void;
}

/** How long a peer that broke the protocol may take to hear so, in milliseconds. */
const GIVE_UP_MS = 1000;

const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** An unmasked frame's first bytes: servers do not mask. */
function headerOf(opcode: number, length: number): Buffer {
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x80 | opcode;
  header[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

export class Websocket {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #listener: Listener;
  readonly #outbox: Outbox;
  readonly #maxUnsentBytes: number;
  #isBlocked = false;
  #isClosing = false;
  #isClosed = false;
  #onDrain: (() => void)[] = [];

  /** @param maxUnsentBytes a peer that takes its answers no faster is not read meanwhile */
  constructor(socket: Socket, listener: Listener, outbox: Outbox, maxUnsentBytes: number) {
    this.#socket = socket;
    this.#outbox = outbox;
    this.#listener = listener;
    this.#maxUnsentBytes = maxUnsentBytes;
  }

  /** Starts reading; `head` are bytes that came with the upgrade. */
  start(head: Buffer): void {
    const socket = this.#socket;
    socket.setTimeout(0);
    socket.setNoDelay();
    socket.on('data', (chunk: Buffer) => this.#feed(chunk));
    socket.on('end', () => socket.destroySoon());
    socket.on('error', () => {}); // 'close' follows
    socket.on('drain', () => this.#drained());
    socket.once('close', () => this.#close());
    if (head.length > 0) this.#feed(head);
  }

  /** Bytes of answers not yet taken by the network. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Bytes that came and bytes that the network took: neither grows when nobody is there. */
  get traffic(): { read: number; taken: number } {
    const { bytesRead, bytesWritten, writableLength } = this.#socket;
    return { read: bytesRead, taken: bytesWritten - writableLength };
  }

  /** Whether nothing is read for the moment, so that silence of the peer proves nothing. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Sends a message; `onTaken` is called when the network took it, or never will. */
  send(data: string | Uint8Array, onTaken: () => void = () => {}): void {
    if (this.#isClosing || this.#isClosed) {
      onTaken();
      return;
    }
    const isText = typeof data === 'string';
    const payload = isText ? Buffer.from(data) : data;
    const taken = this.#outbox.add(this.#socket, payload.length, true);
    this.#write(isText ? OPCODES.text : OPCODES.binary, payload, () => {
      taken();
      onTaken();
    });
  }

  ping(): void {
    if (!this.#isClosing && !this.#isClosed) this.#write(OPCODES.ping, Buffer.alloc(0));
  }

  /** Says goodbye; resolves when the connection is closed, by force after `withinMs`. */
  async close(code: number, reason: string, withinMs: number): Promise<void> {
    if (this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.#socket.destroy(), withinMs);
    this.#socket.once('close', resolve);
    this.#bye(code, reason);
    this.#unblock(); // the peer's own goodbye must be read
    await promise;
    clearTimeout(timer);
  }

  terminate(): void {
    this.#socket.destroy();
  }

  #bye(code: number, reason: string): void {
    if (this.#isClosing) return;
    const payload = Buffer.alloc(Math.min(MAX_CONTROL_BYTES, 2 + Buffer.byteLength(reason)));
    payload.writeUInt16BE(code, 0);
    payload.write(reason, 2);
    this.#write(OPCODES.close, payload);
    this.#isClosing = true;
  }

  #write(opcode: number, payload: Uint8Array, onTaken: () => void = () => {}): void {
    this.#socket.cork();
    this.#socket.write(headerOf(opcode, payload.length));
    this.#socket.write(payload, () => onTaken());
    this.#socket.uncork();
  }

  #feed(chunk: Buffer): void {
    this.#reader.feed(chunk);
    if (!this.#isBlocked) this.#read();
  }

  /** Goes through what came, until somebody must be waited for or this turn of the event loop has lasted long enough. */
  #read(): void {
    try {
      for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) {
        const wait = this.#take(frame) ?? (turn.isLong ? turn.next() : undefined);
        if (wait) {
          this.#block(wait);
          return;
        }
      }
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** What follows a fault cannot be read as frames: it is thrown away until the peer is gone. */
  #giveUp(error: unknown): void {
    if (!(error instanceof FrameFault)) this.#listener.failed(error);
    const { closeCode, message } =
      error instanceof FrameFault ? error : new FrameFault(CLOSE.internal, 'unexpected failure');
    this.#socket.removeAllListeners('data').resume();
    void this.close(closeCode, message, GIVE_UP_MS);
  }

  #block(wait: Promise<void>): void {
    this.#isBlocked = true;
    this.#socket.pause();
    wait.then(
      () => this.#unblock(),
      (error) => this.#giveUp(error),
    );
  }

  #unblock(): void {
    if (!this.#isBlocked || this.#isClosed) return;
    this.#isBlocked = false;
    this.#read();
    if (!this.#isBlocked) this.#socket.resume();
  }

  #take(frame: Frame): Promise<void> | undefined {
    if (frame.kind === 'close') this.#answerClose(frame.payload);
    if (this.#isClosing) return undefined;
    if (frame.kind === 'ping') this.#write(OPCODES.pong, frame.payload);
    const wait = frame.kind === 'data' ? this.#listener.data(frame) : undefined;
    return wait ?? this.#untilTaken();
  }

  #answerClose(payload: Buffer): void {
    if (!this.#isClosing) this.#write(OPCODES.close, payload.subarray(0, 2));
    this.#isClosing = true;
    this.#socket.destroySoon();
  }

  #untilTaken(): Promise<void> | undefined {
    if (this.unsentBytes < this.#maxUnsentBytes) return undefined;
    return new Promise((resolve) => {
      this.#onDrain.push(resolve);
    });
  }

  #drained(): void {
    for (const go of this.#onDrain.splice(0)) go();
  }

  #close(): void {
    this.#isClosed = true;
    this.#drained();
    this.#listener.closed();
  }
}
