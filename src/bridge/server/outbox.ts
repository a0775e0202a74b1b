/**
 * Bytes of answers that the network has not taken, all connections together: a client that asks and never reads would
 * keep them in memory. When they are too many, the connection that has taken nothing for longest is closed.
 */
import type { Socket } from 'node:net';

export interface OutboxRules {
  /** Unsent bytes of all connections together; one answer alone may be larger. */
  answerBytes: number;
  /** Longest time for an HTTP client to take nothing of its answer, and how long while the daemon drains. */
  paceMs: number;
  pressedPaceMs: number;
  /** Pause between two looks at the clock. */
  checkMs: number;
}

/** What one connection has still to take. */
interface Unsent {
  bytes: number;
  answers: number;
  /** Bytes that the network has taken of this connection, and since when it has taken no more. */
  taken: number;
  since: number;
  /** A websocket is pinged, and may be silent for longer; it only makes room when that is needed. */
  isPatient: boolean;
}

export class Outbox {
  readonly #rules: OutboxRules;
  readonly #onDropped: (bytes: number) => void;
  readonly #all = new Map<Socket, Unsent>();
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #isPressed = false;

  /** @param onDropped told of the unsent bytes of a connection that is closed */
  constructor(rules: OutboxRules, onDropped: (bytes: number) => void) {
    this.#rules = rules;
    this.#onDropped = onDropped;
  }

  get unsentBytes(): number {
    return this.#bytes;
  }

  /** Books an answer. What comes back is to be called when the network took it, or never will. */
  add(socket: Socket, bytes: number, isPatient = false): () => void {
    const unsent = this.#all.get(socket) ?? fresh(socket, isPatient);
    this.#all.set(socket, unsent);
    unsent.bytes += bytes;
    unsent.answers++;
    this.#bytes += bytes;
    this.#timer ??= setInterval(() => this.#look(), this.#rules.checkMs).unref();
    if (this.#bytes > this.#rules.answerBytes) this.#makeRoom();
    return () => this.#taken(socket, unsent, bytes);
  }

  /** From now on nobody is waited for long: the daemon is about to end. */
  press(): void {
    this.#isPressed = true;
  }

  #taken(socket: Socket, unsent: Unsent, bytes: number): void {
    if (this.#all.get(socket) !== unsent) return;
    this.#bytes -= bytes;
    unsent.bytes -= bytes;
    if (--unsent.answers === 0) this.#all.delete(socket);
  }

  #makeRoom(): void {
    for (const [socket, unsent] of this.#stalestFirst()) {
      const isAlone = this.#all.size === 1 && unsent.answers === 1;
      if (isAlone || this.#bytes <= this.#rules.answerBytes) return;
      this.#drop(socket, unsent);
    }
  }

  #stalestFirst(): [Socket, Unsent][] {
    for (const [socket, unsent] of this.#all) heed(socket, unsent);
    return [...this.#all].sort(([, a], [, b]) => a.since - b.since);
  }

  #look(): void {
    const now = performance.now();
    const { paceMs, pressedPaceMs } = this.#rules;
    const withinMs = this.#isPressed ? pressedPaceMs : paceMs;
    for (const [socket, unsent] of this.#all) {
      heed(socket, unsent);
      const isBound = this.#isPressed || !unsent.isPatient;
      if (isBound && now - unsent.since > withinMs) this.#drop(socket, unsent);
    }
    if (this.#all.size > 0) return;
    clearInterval(this.#timer!);
    this.#timer = null;
  }

  #drop(socket: Socket, unsent: Unsent): void {
    this.#all.delete(socket);
    this.#bytes -= unsent.bytes;
    this.#onDropped(unsent.bytes);
    socket.destroy();
  }
}

/** Bytes that have left the process. */
const takenOf = ({ bytesWritten, writableLength }: Socket): number => bytesWritten - writableLength;

const fresh = (socket: Socket, isPatient: boolean): Unsent => ({
  bytes: 0,
  answers: 0,
  taken: takenOf(socket),
  since: performance.now(),
  isPatient,
});

function heed(socket: Socket, unsent: Unsent): void {
  const taken = takenOf(socket);
  if (taken !== unsent.taken) Object.assign(unsent, { taken, since: performance.now() });
}
