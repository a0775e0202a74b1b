/** Backpressure of one websocket: stop reading it while it has too much unanswered, or does not take its answers. */
import type { Budget } from './budget.ts';

/** The parts of a websocket that the window works. */
export interface Valve {
  /** Bytes of answers not yet taken by the network. */
  readonly bufferedAmount: number;
  pause(): void;
  resume(): void;
}

export interface WindowLimits {
  bytes: number;
  items: number;
}

export class Window {
  readonly #valve: Valve;
  readonly #limits: WindowLimits;
  readonly #budget: Budget;
  readonly #stopListening: () => void;
  #bytes = 0;
  #items = 0;
  #isPaused = false;

  constructor(valve: Valve, limits: WindowLimits, budget: Budget) {
    this.#valve = valve;
    this.#limits = limits;
    this.#budget = budget;
    this.#stopListening = budget.onRelease(() => this.update());
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Books a message that arrived; call what it returns once it is answered. */
  hold(bytes: number, items: number): () => void {
    const giveBack = this.#budget.charge(bytes);
    this.#bytes += bytes;
    this.#items += items;
    this.update();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#bytes -= bytes;
      this.#items -= items;
      giveBack();
      this.update();
    };
  }

  /** Pauses or resumes reading as things stand. */
  update(): void {
    const isFull =
      this.#bytes >= this.#limits.bytes ||
      this.#items >= this.#limits.items ||
      this.#valve.bufferedAmount >= this.#limits.bytes ||
      this.#budget.isFull;
    if (isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    if (isFull) this.#valve.pause();
    else this.#valve.resume();
  }

  close(): void {
    this.#stopListening();
  }
}
