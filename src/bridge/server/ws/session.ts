/** One websocket: messages in, answers out in the order they are ready, events when subscribed. */
import { type AssayError, fail, toAssayError } from '../../../errors/error.ts';
import { nearest } from '../../../errors/nearest.ts';
import type { Parcel } from '../budget.ts';
import type { Call } from '../call.ts';
import { type Desk, errorBody, rank, report, score } from '../context.ts';
import type { Codec } from '../wire/codec.ts';
import { toScoreItems } from '../wire/items.ts';
import type { Decoded } from '../wire/json.ts';
import { checkItemCount, MAX_ECHO, parse } from '../wire/parse.ts';
import {
  type MessageId,
  messageId,
  type SocketMessage,
  type SocketOp,
  socketMessages,
} from '../wire/schemas.ts';
import { VALUE_BYTES } from '../wire/shape.ts';
import { Feed } from './feed.ts';
import { Window } from './quota.ts';

/** The websocket as a session sees it. */
export interface Link {
  /** Bytes of answers not yet taken by the network. */
  readonly unsentBytes: number;
  send(data: string | Uint8Array, onTaken: () => void): void;
}

type ScoringMessage = Extract<SocketMessage, { op: 'score' | 'rank' }>;

const OPS = Object.keys(socketMessages) as SocketOp[];
const isOp = (op: unknown): op is SocketOp => OPS.includes(op as SocketOp);

export class Session {
  readonly #desk: Desk;
  readonly #link: Link;
  readonly #codec: Codec;
  readonly client: string;
  readonly #window: Window;
  readonly #feed: Feed;
  readonly #calls = new Map<MessageId, Call>();
  #isClosed = false;

  constructor(desk: Desk, link: Link, codec: Codec, client: string) {
    const { tuning, metrics } = desk;
    this.#desk = desk;
    this.#link = link;
    this.#codec = codec;
    this.client = client;
    this.#window = new Window({ bytes: tuning.windowBytes, items: tuning.windowItems });
    const sink = {
      get bufferedAmount() {
        return link.unsentBytes;
      },
      send: this.#send.bind(this),
    };
    this.#feed = new Feed(sink, tuning.feedBytes, (count) => metrics.eventsLost(count));
  }

  /** Undefined when a large message may come; else settles when it may. */
  room(): Promise<void> | undefined {
    return this.#window.room();
  }

  /**
   * Handles one message; never throws. Answers come later; what it returns settles when the next message may come.
   *
   * @param parcel what the message takes of the byte budget; given back here
   */
  receive(data: Buffer, isBinary: boolean, parcel: Parcel): Promise<void> | undefined {
    try {
      const decoded = this.#decode(data, isBinary);
      if (!(decoded instanceof Promise)) return this.#take(decoded, parcel);
      return decoded.then(
        (value) => this.#take(value, parcel),
        (error) => this.#refuse(null, 'unknown', toAssayError(error), parcel),
      );
    } catch (thrown) {
      this.#refuse(null, 'unknown', toAssayError(thrown), parcel);
    }
    return undefined;
  }

  #take({ value, values }: Decoded, parcel: Parcel): undefined {
    if (this.#isClosed) return void parcel.release();
    let id: MessageId | null = null;
    let op: SocketOp | 'unknown' = 'unknown';
    try {
      parcel.complete(VALUE_BYTES * values);
      id = idOf(value);
      op = opOf(value);
      checkItemCount(value, this.#desk.config.limits.maxItems);
      this.#handle(parse(socketMessages[op], value) as SocketMessage, parcel);
    } catch (thrown) {
      this.#refuse(id, op, toAssayError(thrown), parcel);
    }
  }

  /** Aborts what runs; for when the socket is gone. */
  close(): void {
    this.#isClosed = true;
    this.#feed.stop();
    for (const call of this.#calls.values()) call.abort(fail('CANCELLED', {}));
  }

  #decode(data: Uint8Array, isBinary: boolean): Decoded | Promise<Decoded> {
    if (isBinary === (this.#codec.name === 'msgpack')) return this.#codec.decode(data);
    const reason = isBinary
      ? 'a binary frame came on a text connection'
      : 'a text frame came on a binary connection';
    throw fail('MALFORMED_BODY', { format: this.#codec.name, reason });
  }

  #handle(message: SocketMessage, parcel: Parcel): void {
    if (message.op === 'score' || message.op === 'rank') {
      this.#desk.traffic.checkOpen();
      if (this.#calls.has(message.id)) throw fail('DUPLICATE_ID', { id: message.id });
      void this.#score(message, parcel);
      return;
    }
    const call = this.#begin(message.op);
    parcel.release();
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

  /** Never rejects. */
  async #score(message: ScoringMessage, parcel: Parcel): Promise<void> {
    const { id, op } = message;
    const call = this.#begin(op);
    call.onEnd(() => parcel.release());
    this.#calls.set(id, call);
    try {
      const leave = this.#window.enter(parcel.held, message.items.length, call.signal);
      call.onEnd(leave instanceof Promise ? await leave : leave);
      this.#finish(call, id, { id, ok: true, ...(await this.#results(call, message)) });
      report(this.#desk, call, 'ok');
    } catch (thrown) {
      const error = toAssayError(thrown);
      this.#finish(call, id, { id, ok: false, ...errorBody(error) });
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

  /** The call ends when the network took its answer: only then is a drain done with it. */
  #finish(call: Call, id: MessageId, answer: object): void {
    this.#calls.delete(id);
    this.#send(answer, () => call.end());
  }

  #begin(op: string): Call {
    return this.#desk.traffic.begin(`ws ${op}`, this.client);
  }

  #refuse(id: MessageId | null, op: string, error: AssayError, parcel: Parcel): void {
    const call = this.#begin(op);
    parcel.release();
    this.#send({ id, ok: false, ...errorBody(error) });
    report(this.#desk, call, error.code, error);
    call.end();
  }

  #send(message: object, onTaken: () => void = () => {}): void {
    this.#link.send(this.#codec.encode(message), onTaken);
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
