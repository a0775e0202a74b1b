/** Step 10, record: pushes every finished result, and warnings, to one subscriber. A slow one loses events and is told how many. */
import type { Service } from '../../../types/service.ts';

export interface FeedSink {
  /** Bytes not yet taken by the network. */
  readonly bufferedAmount: number;
  /** Sends one message; `onTaken` is called when the network took it. */
  send(message: object, onTaken: () => void): void;
}

export class Feed {
  readonly #sink: FeedSink;
  readonly #maxBufferBytes: number;
  readonly #onLost: (count: number) => void;
  #lost = 0;
  #unsubscribe: (() => void) | null = null;

  constructor(sink: FeedSink, maxBufferBytes: number, onLost: (count: number) => void) {
    this.#sink = sink;
    this.#maxBufferBytes = maxBufferBytes;
    this.#onLost = onLost;
  }

  start(service: Service): void {
    if (this.#unsubscribe) return;
    const ends = [
      service.subscribe((result, client) => this.#push({ event: 'result', client, result })),
      service.onWarning((warning) => this.#push({ event: 'warning', warning })),
    ];
    this.#unsubscribe = () => {
      for (const end of ends) end();
    };
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  #push(event: object): void {
    if (this.#sink.bufferedAmount >= this.#maxBufferBytes) {
      this.#lost++;
      this.#onLost(1);
      return;
    }
    this.#confess();
    this.#sink.send(event, () => this.#onTaken());
  }

  #onTaken(): void {
    if (this.#unsubscribe && this.#sink.bufferedAmount < this.#maxBufferBytes / 2) this.#confess();
  }

  #confess(): void {
    if (this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#sink.send({ event: 'lost', count: lost }, () => {});
  }
}
