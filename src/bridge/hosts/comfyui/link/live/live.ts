/**
 * The live channel: one socket at a time, kept open. It is a hint and never the truth: frames are lost while it is
 * away, and the host has a fault by which a socket that took over an id is open and hears nothing (deaf). Such a one
 * is found by comparing what it heard of the queue with what the host says, and replaced under a fresh id.
 */
import { randomUUID } from 'node:crypto';
import { orAbort } from '../../../../../lib/abort.ts';
import { backoff, pause } from '../../../../../lib/pause.ts';
import type { Log } from '../../../../../log.ts';
import type { Address } from '../../../link/address.ts';
import type { Tuning } from '../../../tuning.ts';
import { type Frame, readFrame } from './frames.ts';
import { openSocket, type Socket } from './socket.ts';

/** `lost`: the socket is gone or deaf, and what happens until `open` is not heard. */
export type LiveEvent = Frame | { kind: 'lost' } | { kind: 'open' };

export interface LiveOptions {
  address: Address;
  /** Longest message, in bytes. */
  maxBytes: number;
  tuning: Tuning;
  log: Log | undefined;
  /** Runs that wait or run now, as the host says; null when it cannot be asked. */
  queueLength(signal: AbortSignal): Promise<number | null>;
  onReconnect(): void;
}

export class Live {
  readonly #options: LiveOptions;
  readonly #listeners = new Set<(event: LiveEvent) => void>();
  readonly #ending = new AbortController();
  readonly #firstTry = Promise.withResolvers<void>();
  #clientId: string = randomUUID();
  #socket: Socket | undefined;
  #loop: Promise<void> | undefined;
  /** Length of the queue as last heard, and how many frames were heard at all. */
  #queue: number | undefined;
  #frames = 0;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /** Events of a run come here when it is submitted under this id. */
  get clientId(): string {
    return this.#clientId;
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  /** Runs that wait or go on, as the host last said; 0 while nothing is heard. */
  get queued(): number {
    return this.#socket === undefined ? 0 : (this.#queue ?? 0);
  }

  /** Starts the channel. Returns when it is open, or when it could not be opened by now. */
  async start(signal: AbortSignal): Promise<void> {
    this.#loop ??= this.#run();
    await orAbort(this.#firstTry.promise, signal);
  }

  /** @returns what ends the listening */
  listen(listener: (event: LiveEvent) => void): () => void {
    this.#loop ??= this.#run();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#socket?.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { reconnectMs, maxReconnectMs } = this.#options.tuning;
    const { signal } = this.#ending;
    for (let tries = 0; !signal.aborted; tries++) {
      const isOpened = await this.#connect();
      this.#firstTry.resolve();
      if (isOpened) {
        tries = 0;
        await this.#listenUntilLost();
      }
      await pause(backoff(reconnectMs, tries, maxReconnectMs), signal).catch(() => {});
    }
  }

  async #connect(): Promise<boolean> {
    const { address, maxBytes, tuning, log } = this.#options;
    const { signal } = this.#ending;
    const onFrame = this.#onFrame.bind(this);
    try {
      this.#queue = undefined;
      const url = socketOf(address, this.#clientId);
      const { headers } = address;
      this.#socket = await openSocket({ url, headers, maxBytes, tuning, signal, onFrame });
      this.#tell({ kind: 'open' });
      return true;
    } catch (error) {
      log?.debug({ event: 'host.socket', reason: (error as Error).message }, 'no live channel');
      return false;
    }
  }

  /** Ends with the old socket closed in full: closed later, it would take its successor's events along. */
  async #listenUntilLost(): Promise<void> {
    const over = new AbortController();
    const deaf = this.#watchForDeafness(over.signal);
    const reason = await Promise.race([this.#socket!.closed, deaf]);
    over.abort();
    await this.#socket!.close();
    this.#socket = undefined;
    if (this.#ending.signal.aborted) return;
    this.#options.onReconnect();
    this.#options.log?.warn({ event: 'host.socket', reason }, 'live channel lost');
    this.#tell({ kind: 'lost' });
  }

  /** Resolves when the host's queue has another length than was heard, and nothing came between two such findings. */
  async #watchForDeafness(over: AbortSignal): Promise<string> {
    const { queueLength, tuning } = this.#options;
    const signal = AbortSignal.any([over, this.#ending.signal]);
    let suspectedAt: number | undefined;
    while (!signal.aborted) {
      await pause(tuning.livenessMs, signal).catch(() => {});
      if (this.#listeners.size === 0) continue;
      const length = await queueLength(signal).catch(() => null);
      const isSuspect = length !== null && length !== this.#queue;
      if (isSuspect && suspectedAt === this.#frames) {
        this.#clientId = randomUUID();
        return 'the socket is open and hears nothing';
      }
      suspectedAt = isSuspect ? this.#frames : undefined;
    }
    return 'closed';
  }

  #onFrame(bytes: Uint8Array, isBinary: boolean): void {
    const frame = readFrame(bytes, isBinary);
    this.#frames++;
    if (frame.kind === 'event' && frame.type === 'status')
      this.#queue = remainingOf(frame.data) ?? this.#queue;
    this.#tell(frame);
  }

  #tell(event: LiveEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

const socketOf = ({ at }: Address, clientId: string): string =>
  at(`/ws?clientId=${encodeURIComponent(clientId)}`).replace(/^http/, 'ws');

function remainingOf(data: Record<string, unknown>): number | undefined {
  const { status } = data as { status?: { exec_info?: { queue_remaining?: unknown } } };
  const count = status?.exec_info?.queue_remaining;
  return typeof count === 'number' ? count : undefined;
}
