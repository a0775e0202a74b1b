/** All calls in flight, and the door: closed while the daemon drains. */
import { type AssayError, fail } from '../../errors/error.ts';
import { Call } from './call.ts';

export class Traffic {
  readonly #calls = new Set<Call>();
  readonly #timeoutMs: number;
  #isDraining = false;
  #onIdle: (() => void) | null = null;

  /** @param timeoutMs deadline of each call; 0 for none */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Starts a call; whoever starts it calls its `end`. */
  begin(route: string, client: string): Call {
    const call = new Call(route, client, this.#timeoutMs);
    this.#calls.add(call);
    call.onEnd(() => this.#remove(call));
    return call;
  }

  /** @throws DRAINING */
  checkOpen(): void {
    if (this.#isDraining) throw fail('DRAINING', {});
  }

  abortAll(reason: AssayError): void {
    for (const call of this.#calls) call.abort(reason);
  }

  /** Refuses new work from now on. */
  closeDoor(): void {
    this.#isDraining = true;
  }

  /** Resolves when no call is in flight, or after the timeout. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.#calls.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #remove(call: Call): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#onIdle?.();
  }
}
