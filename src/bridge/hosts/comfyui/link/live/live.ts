/**
 * The live channel: one socket at a time, kept open. It is a hint and never the truth: frames are lost while it is
 * away, and the host has a fault by which a socket that took over an id is open and hears nothing (deaf). Such a one
 * is found by comparing what it heard of the queue with what the host says, and replaced under a fresh id.
 */
import { randomUUID } from 'node:crypto';
import { orAbort } from '../../../../../lib/abort.ts';
import { backoff, pause } from '../../../../../lib/pause.ts';
import type { Log } from '../../../../../log.ts';
import type { Tuning } from '../../../tuning.ts';
import type { Address } from '../address.ts';
import { type Frame, readFrame } from './frames.ts';
import { openSocket, type Socket } from './socket.ts';

/** `lost`: the socket is gone or deaf, and what happens until `open` is not heard. */
export type LiveEvent = Frame | { kind: 'lost' } | { kind: 'open' };

export interface Live {
  /** Events of a run come here when it is submitted under this id. */
  readonly clientId: string;
  readonly isOpen: boolean;
  /** Starts the channel. Returns when it is open, or when it could not be opened by now. */
  start(signal: AbortSignal): Promise<void>;
  listen(listener: (event: LiveEvent) => void): () => void;
  close(): Promise<void>;
}

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

export function createLive(options: LiveOptions): Live {
  const { address, maxBytes, tuning, log } = options;
  const listeners = new Set<(event: LiveEvent) => void>();
  const ending = new AbortController();
  const firstTry = Promise.withResolvers<void>();
  let clientId: string = randomUUID();
  let socket: Socket | undefined;
  let loop: Promise<void> | undefined;
  /** Length of the queue as last heard, and how many frames were heard at all. */
  let queue: number | undefined;
  let frames = 0;

  const tell = (event: LiveEvent) => {
    for (const listener of [...listeners]) listener(event);
  };

  function onFrame(bytes: Uint8Array, isBinary: boolean): void {
    const frame = readFrame(bytes, isBinary);
    frames++;
    if (frame.kind === 'event' && frame.type === 'status') queue = remainingOf(frame.data) ?? queue;
    tell(frame);
  }

  async function run(): Promise<void> {
    for (let tries = 0; !ending.signal.aborted; tries++) {
      const isOpened = await connect();
      firstTry.resolve();
      if (isOpened) {
        tries = 0;
        await listenUntilLost();
      }
      await pause(backoff(tuning.reconnectMs, tries, tuning.maxReconnectMs), ending.signal).catch(() => {});
    }
  }

  async function connect(): Promise<boolean> {
    try {
      queue = undefined;
      const url = address.socket(clientId);
      const { headers } = address;
      socket = await openSocket({ url, headers, maxBytes, tuning, signal: ending.signal, onFrame });
      tell({ kind: 'open' });
      return true;
    } catch (error) {
      log?.debug({ event: 'host.socket', reason: (error as Error).message }, 'no live channel');
      return false;
    }
  }

  /** Ends with the old socket closed in full: closed later, it would take its successor's events along. */
  async function listenUntilLost(): Promise<void> {
    const over = new AbortController();
    const deaf = watchForDeafness(over.signal);
    const reason = await Promise.race([socket!.closed, deaf]);
    over.abort();
    await socket!.close();
    socket = undefined;
    if (ending.signal.aborted) return;
    options.onReconnect();
    log?.warn({ event: 'host.socket', reason }, 'live channel lost');
    tell({ kind: 'lost' });
  }

  /** Resolves when the host's queue has another length than was heard, and nothing came between two such findings. */
  async function watchForDeafness(over: AbortSignal): Promise<string> {
    const signal = AbortSignal.any([over, ending.signal]);
    let suspectedAt: number | undefined;
    while (!signal.aborted) {
      await pause(tuning.livenessMs, signal).catch(() => {});
      if (listeners.size === 0) continue;
      const length = await options.queueLength(signal).catch(() => null);
      const isSuspect = length !== null && length !== queue;
      if (isSuspect && suspectedAt === frames) {
        clientId = randomUUID();
        return 'the socket is open and hears nothing';
      }
      suspectedAt = isSuspect ? frames : undefined;
    }
    return 'closed';
  }

  return {
    get clientId() {
      return clientId;
    },
    get isOpen() {
      return socket !== undefined;
    },
    async start(signal) {
      loop ??= run();
      await orAbort(firstTry.promise, signal);
    },
    listen(listener) {
      loop ??= run();
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      ending.abort();
      await socket?.close();
      await loop;
    },
  };
}

function remainingOf(data: Record<string, unknown>): number | undefined {
  const { status } = data as { status?: { exec_info?: { queue_remaining?: unknown } } };
  const count = status?.exec_info?.queue_remaining;
  return typeof count === 'number' ? count : undefined;
}
