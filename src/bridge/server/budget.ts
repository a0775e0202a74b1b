/**
 * Bytes of requests that the daemon holds at once, booked as they arrive, whatever was announced.
 *
 * They lie in two pools. The common one is shared by a moving threshold: a message may grow while it is no larger than
 * what is still free, so n senders get an n+1th each and a newcomer always finds as much. A message that needs more
 * waits, unread, for a reservation of its whole size in the second pool; the smaller and the longer waiting come first.
 * So a full pool never holds parts of messages alone, none of which could be finished.
 *
 * A sender that stops sending loses its message: after a while, or soon when others wait for room, the stalest first.
 */
import { type AssayError, fail } from '../../errors.ts';

export interface BudgetRules {
  /** Of each pool; no message is larger. */
  capacityBytes: number;
  /** A message so small may always grow: control messages pass whatever else is held. */
  smallBytes: number;
  /** What a sender must send within `paceMs`, or within `pressedPaceMs` when others wait for room. */
  paceBytes: number;
  paceMs: number;
  pressedPaceMs: number;
  /** Pause between two looks at the clock. */
  checkMs: number;
}

/** A message that arrives, is worked on, and goes. */
export class Parcel {
  readonly budget: Budget;
  readonly drop: (reason: AssayError) => void;
  /** Bytes in all, as announced, or the most that it may become. */
  readonly expected: number;
  /** Bytes that are here. */
  held = 0;
  /** Bytes booked in the second pool; 0 while it lies in the common one. */
  reserved = 0;
  waiter: { go: () => void; since: number } | null = null;
  /** Whether its receiver has stopped reading for reasons of its own. */
  isPaused = false;
  /** When it had last sent its due, and what was here then. */
  mark: { at: number; held: number };

  constructor(budget: Budget, expected: number, drop: (reason: AssayError) => void) {
    this.budget = budget;
    this.expected = expected;
    this.drop = drop;
    this.mark = { at: performance.now(), held: 0 };
  }

  /** Books bytes that came. What it returns settles when there is room for more; until then nothing is to be read. */
  grow(bytes: number): Promise<void> | undefined {
    return this.budget.grow(this, bytes);
  }

  /** The receiver stops or goes on reading: a sender that is not heard is not late. */
  pause(isPaused: boolean): void {
    this.isPaused = isPaused;
    this.restartClock();
  }

  /** All of it is here; `extraBytes` are what it takes unpacked. */
  complete(extraBytes = 0): void {
    this.budget.complete(this, extraBytes);
  }

  /** Gives all back. Safe to call twice. */
  release(): void {
    this.budget.release(this);
  }

  restartClock(): void {
    this.mark = { at: performance.now(), held: this.held };
  }
}

export class Budget {
  readonly #rules: BudgetRules;
  readonly #onFreed: (bytes: number) => void;
  #common = 0;
  #reserved = 0;
  readonly #all = new Set<Parcel>();
  readonly #arriving = new Set<Parcel>();
  readonly #waiting = new Set<Parcel>();
  #timer: NodeJS.Timeout | null = null;
  #isPressed = false;

  /** @param onFreed told of bytes that were given back */
  constructor(rules: BudgetRules, onFreed: (bytes: number) => void = () => {}) {
    this.#rules = rules;
    this.#onFreed = onFreed;
  }

  get heldBytes(): number {
    return this.#common + this.#reserved;
  }

  /**
   * Announces a message.
   *
   * @param expectedBytes its size, or the most that it may become
   * @param drop called with STALLED when its sender is too slow; nothing is booked for it any more
   */
  open(expectedBytes: number, drop: (reason: AssayError) => void): Parcel {
    const parcel = new Parcel(this, Math.min(expectedBytes, this.#rules.capacityBytes), drop);
    this.#all.add(parcel);
    this.#arriving.add(parcel);
    this.#timer ??= setInterval(() => this.#look(), this.#rules.checkMs).unref();
    return parcel;
  }

  /** From now on senders are waited for as little as when others wait for room: the daemon is about to end. */
  press(): void {
    this.#isPressed = true;
  }

  grow(parcel: Parcel, bytes: number): Promise<void> | undefined {
    if (!this.#all.has(parcel)) return undefined;
    parcel.held += bytes;
    this.#book(parcel, bytes);
    if (this.#mayGrow(parcel)) return undefined;
    if (this.#waiting.size === 0 && this.#reserve(parcel)) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    parcel.waiter = { go: resolve, since: performance.now() };
    this.#waiting.add(parcel);
    return promise;
  }

  complete(parcel: Parcel, extraBytes: number): void {
    if (!this.#all.has(parcel)) return;
    this.#arrived(parcel);
    parcel.held += extraBytes;
    if (parcel.reserved === 0) this.#common += extraBytes;
    else {
      this.#reserved += parcel.held - parcel.reserved;
      parcel.reserved = parcel.held;
    }
    this.#serve();
  }

  release(parcel: Parcel): void {
    if (!this.#all.delete(parcel)) return;
    this.#arrived(parcel);
    if (parcel.reserved > 0) this.#reserved -= parcel.reserved;
    else this.#common -= parcel.held;
    this.#onFreed(parcel.held);
    this.#serve();
  }

  #arrived(parcel: Parcel): void {
    this.#arriving.delete(parcel);
    this.#waiting.delete(parcel);
    parcel.waiter?.go();
    parcel.waiter = null;
  }

  #book(parcel: Parcel, bytes: number): void {
    if (parcel.reserved === 0) {
      this.#common += bytes;
      return;
    }
    const beyond = Math.max(0, parcel.held - parcel.reserved);
    parcel.reserved += beyond;
    this.#reserved += beyond;
  }

  #mayGrow({ held, reserved }: Parcel): boolean {
    const { capacityBytes, smallBytes } = this.#rules;
    return reserved > 0 || held <= Math.max(smallBytes, capacityBytes - this.#common);
  }

  #reserve(parcel: Parcel): boolean {
    const bytes = Math.max(parcel.expected, parcel.held);
    if (this.#reserved > 0 && this.#reserved + bytes > this.#rules.capacityBytes) return false;
    this.#common -= parcel.held;
    this.#reserved += bytes;
    parcel.reserved = bytes;
    return true;
  }

  /** Lets those go on that have room now. */
  #serve(): void {
    if (this.#waiting.size === 0) return;
    const now = performance.now();
    // what is missing over how long it has waited: the small first, the large not never
    const patience = ({ expected, held, waiter }: Parcel): number =>
      (expected - held) / (1000 + now - waiter!.since);
    const inTurn = [...this.#waiting].sort((a, b) => patience(a) - patience(b));
    let mayReserve = true;
    for (const parcel of inTurn) {
      if (this.#mayGrow(parcel)) this.#goOn(parcel);
      else if (mayReserve && this.#reserve(parcel)) this.#goOn(parcel);
      else mayReserve = false;
    }
  }

  #goOn(parcel: Parcel): void {
    this.#waiting.delete(parcel);
    parcel.restartClock();
    parcel.waiter?.go();
    parcel.waiter = null;
  }

  /** Drops those who send too little, the stalest first; some only as long as others wait for room. */
  #look(): void {
    const now = performance.now();
    const { paceBytes, paceMs, pressedPaceMs } = this.#rules;
    const heard = [...this.#arriving].filter(({ waiter, isPaused }) => waiter === null && !isPaused);
    for (const parcel of heard) if (parcel.held - parcel.mark.held >= paceBytes) parcel.restartClock();
    for (const parcel of heard.sort((a, b) => a.mark.at - b.mark.at)) {
      const withinMs = this.#isPressed || this.#waiting.size > 0 ? pressedPaceMs : paceMs;
      if (now - parcel.mark.at > withinMs) this.#drop(parcel, withinMs);
    }
    this.#serve();
    if (this.#arriving.size > 0) return;
    clearInterval(this.#timer!);
    this.#timer = null;
  }

  #drop(parcel: Parcel, withinMs: number): void {
    const bytes = parcel.held - parcel.mark.held;
    parcel.release();
    parcel.drop(fail('STALLED', { bytes, withinMs }));
  }
}
