/** One websocket: messages in, answers out in the order they are ready, events when subscribed. */
import { type AssayError, fail, nearest, toAssayError } from '../../errors.ts';
import type { Call } from './call.ts';
import type { Codec } from './codec.ts';
import { type Desk, errorBody, rank, report, score } from './desk.ts';
import { Feed } from './feed.ts';
import { toScoreItems } from './items.ts';
import { checkItemCount, MAX_ECHO, parse } from './parse.ts';
import { type MessageId, messageId, type SocketMessage, type SocketOp, socketMessages } from './schemas.ts';
import type { Tuning } from './tuning.ts';
import { type Valve, Window } from './window.ts';

/** The websocket as a session sees it. */
export interface Link extends Valve {
  send(data: string | Uint8Array, onTaken: () => void): void;
}

type ScoringMessage = Extract<SocketMessage, { op: 'score' | 'rank' }>;

const OPS = Object.keys(socketMessages) as SocketOp[];
const isOp = (op: unknown): op is SocketOp => OPS.includes(op as SocketOp);

export class Session {
  readonly #desk: Desk;
  readonly #link: Link;
  readonly #codec: Codec;
  readonly #client: string;
  readonly #window: Window;
  readonly #feed: Feed;
  readonly #calls = new Map<MessageId, Call>();

  constructor(desk: Desk, link: Link, codec: Codec, client: string, tuning: Tuning) {
    this.#desk = desk;
    this.#link = link;
    this.#codec = codec;
    this.#client = client;
    const limits = { bytes: tuning.windowBytes, items: tuning.windowItems };
    this.#window = new Window(link, limits, desk.budget);
    const send = this.#send.bind(this);
    const sink = {
      get bufferedAmount() {
        return link.bufferedAmount;
      },
      send,
    };
    this.#feed = new Feed(sink, tuning.feedBytes, (count) => desk.metrics.eventsLost(count));
  }

  /** Whether the session has stopped reading, so that silence of the peer proves nothing. */
  get isPaused(): boolean {
    return this.#window.isPaused;
  }

  /** Handles one message; never throws. */
  async receive(data: Uint8Array, isBinary: boolean): Promise<void> {
    let id: MessageId | null = null;
    let op: SocketOp | 'unknown' = 'unknown';
    try {
      const value = this.#decode(data, isBinary);
      id = idOf(value);
      op = opOf(value);
      checkItemCount(value, this.#desk.config.limits.maxItems);
      await this.#handle(parse(socketMessages[op], value) as SocketMessage, data.byteLength);
    } catch (thrown) {
      this.#refuse(id, op, toAssayError(thrown));
    }
  }

  /** Aborts what runs; for when the socket is gone. */
  close(): void {
    this.#feed.stop();
    this.#window.close();
    for (const call of this.#calls.values()) call.abort(fail('CANCELLED', {}));
  }

  #decode(data: Uint8Array, isBinary: boolean): unknown {
    if (isBinary === (this.#codec.name === 'msgpack')) return this.#codec.decode(data);
    const reason = isBinary
      ? 'a binary frame came on a text connection'
      : 'a text frame came on a binary connection';
    throw fail('MALFORMED_BODY', { format: this.#codec.name, reason });
  }

  async #handle(message: SocketMessage, bytes: number): Promise<void> {
    if (message.op === 'score' || message.op === 'rank') return await this.#score(message, bytes);
    const call = this.#begin(message.op);
    this.#send({ id: message.id, ok: true, ...this.#perform(message) });
    report(this.#desk, call, 'ok');
    call.end();
  }

  /** What the ops without images do, and what they answer. */
  #perform(message: Exclude<SocketMessage, ScoringMessage>): object {
    switch (message.op) {
      case 'ping':
        return {};
      case 'subscribe':
        this.#feed.start(this.#desk.service);
        return {};
      case 'cancel': {
        const target = this.#calls.get(message.target);
        target?.abort(fail('CANCELLED', {}));
        return { cancelled: target !== undefined };
      }
    }
  }

  async #score(message: ScoringMessage, bytes: number): Promise<void> {
    this.#desk.traffic.checkOpen();
    const { id, op } = message;
    if (this.#calls.has(id)) throw fail('DUPLICATE_ID', { id });
    const call = this.#begin(op);
    const release = this.#window.hold(bytes, message.items.length);
    this.#calls.set(id, call);
    try {
      const answer = { id, ok: true, ...(await this.#results(call, message)) };
      this.#finish(id, call, answer, release);
      report(this.#desk, call, 'ok');
    } catch (thrown) {
      const error = toAssayError(thrown);
      this.#finish(id, call, { id, ok: false, ...errorBody(error) }, release);
      report(this.#desk, call, error.code, error);
    }
  }

  #results(call: Call, message: ScoringMessage): Promise<object> {
    const { allowedDirs, limits } = this.#desk.config;
    const items = toScoreItems(message, { allowedDirs, maxImageBytes: limits.maxImageBytes });
    return (message.op === 'score' ? score : rank)(this.#desk, call, {
      items,
      scorer: message.scorer,
      policy: message.policy,
    });
  }

  /** The call ends when the network took its answer: only then is its memory free, and a drain done with it. */
  #finish(id: MessageId, call: Call, answer: object, release: () => void): void {
    this.#calls.delete(id);
    this.#send(answer, () => {
      release();
      call.end();
    });
  }

  #begin(op: string): Call {
    return this.#desk.traffic.begin(`ws ${op}`, this.#client);
  }

  #refuse(id: MessageId | null, op: string, error: AssayError): void {
    const call = this.#begin(op);
    this.#send({ id, ok: false, ...errorBody(error) });
    report(this.#desk, call, error.code, error);
    call.end();
  }

  #send(message: object, onTaken: () => void = () => {}): void {
    this.#link.send(this.#codec.encode(message), () => {
      onTaken();
      this.#window.update();
    });
    this.#window.update();
  }
}

/** The id of a message that may be wrong in every other respect, so that the sender can match the error. */
function idOf(value: unknown): MessageId | null {
  const id = messageId.safeParse((value as { id?: unknown } | null | undefined)?.id);
  return id.success ? id.data : null;
}

/** @throws BAD_REQUEST when it is no message at all, UNKNOWN_OP */
function opOf(value: unknown): SocketOp {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw fail('BAD_REQUEST', { reason: 'the message: expected an object with id and op' });
  const { op } = value as { op?: unknown };
  if (isOp(op)) return op;
  if (typeof op !== 'string') throw fail('BAD_REQUEST', { reason: `op: expected one of ${OPS.join(', ')}` });
  const word = op.slice(0, MAX_ECHO);
  const near = nearest(word, OPS);
  throw fail('UNKNOWN_OP', {
    op: word,
    known: near ? `${OPS.join(', ')}; did you mean "${near}"?` : OPS.join(', '),
  });
}
