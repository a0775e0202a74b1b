/** One websocket: messages in, answers out in the order they are ready, events when subscribed. */
import { type AssayError, fail, toAssayError } from '../../../errors/error.ts';
import { nearest } from '../../../errors/nearest.ts';
import type { Parcel } from '../budget.ts';
import type { Call } from '../call.ts';
import type { ServerContext } from '../context.ts';
import type { InstantOp, Op, QueuedOp, SessionControl, SocketMessage } from '../ops/op.ts';
import type { Ops } from '../ops/table.ts';
import { report } from '../report.ts';
import type { Codec } from '../wire/codec.ts';
import { errorBody } from '../wire/error-body.ts';
import type { Decoded } from '../wire/json.ts';
import { checkItemCount, MAX_ECHO, parse } from '../wire/parse.ts';
import { type MessageId, messageId } from '../wire/schemas.ts';
import { VALUE_BYTES } from '../wire/shape.ts';
import { Feed } from './feed.ts';
import { Quota } from './quota.ts';

/** The websocket as a session sees it. */
export interface Link {
  /** Bytes of answers not yet taken by the network. */
  readonly unsentBytes: number;
  send(data: string | Uint8Array, onTaken: () => void): void;
}

export class Session implements SessionControl {
  readonly #context: ServerContext;
  readonly #link: Link;
  readonly #codec: Codec;
  readonly client: string;
  readonly #quota: Quota;
  readonly #feed: Feed;
  readonly #calls = new Map<MessageId, Call>();
  #isClosed = false;

  constructor(context: ServerContext, link: Link, codec: Codec, client: string) {
    const { tuning, metrics } = context;
    this.#context = context;
    this.#link = link;
    this.#codec = codec;
    this.client = client;
    this.#quota = new Quota({ bytes: tuning.windowBytes, items: tuning.windowItems });
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
    return this.#quota.room();
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
    let op: Op | undefined;
    try {
      parcel.complete(VALUE_BYTES * values);
      id = idOf(value);
      op = opIn(value, this.#context.ops);
      checkItemCount(value, this.#context.config.limits.maxItems);
      this.#handle(op, parse(op.message, value), parcel);
    } catch (thrown) {
      this.#refuse(id, op?.name ?? 'unknown', toAssayError(thrown), parcel);
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

  #handle(op: Op, message: SocketMessage, parcel: Parcel): void {
    if (op.kind === 'instant') {
      this.#answer(op, message, parcel);
      return;
    }
    this.#context.traffic.checkOpen();
    if (this.#calls.has(message.id)) throw fail('DUPLICATE_ID', { id: message.id });
    void this.#run(op, message, parcel);
  }

  #answer(op: InstantOp, message: SocketMessage, parcel: Parcel): void {
    const answer = op.perform(this, message);
    const call = this.#begin(op.name);
    call.isQuiet = true;
    parcel.release();
    this.#send({ id: message.id, ok: true, ...answer });
    report(this.#context, call, 'ok');
    call.end();
  }

  /** For the op. @returns whether there was such a request */
  cancel(id: MessageId): boolean {
    const target = this.#calls.get(id);
    target?.abort(fail('CANCELLED', {}));
    return target !== undefined;
  }

  /** For the op. */
  subscribe(): void {
    this.#feed.start(this.#context.service);
  }

  /** Never rejects. */
  async #run(op: QueuedOp, message: SocketMessage, parcel: Parcel): Promise<void> {
    const { id } = message;
    const call = this.#begin(op.name);
    call.onEnd(() => parcel.release());
    this.#calls.set(id, call);
    try {
      const leave = this.#quota.enter(parcel.held, op.itemsIn(message), call.signal);
      call.onEnd(leave instanceof Promise ? await leave : leave);
      this.#finish(call, id, { id, ok: true, ...(await op.run({ context: this.#context, call }, message)) });
      report(this.#context, call, 'ok');
    } catch (thrown) {
      const error = toAssayError(thrown);
      this.#finish(call, id, { id, ok: false, ...errorBody(error) });
      report(this.#context, call, error.code, error);
    }
  }

  /** The call ends when the network took its answer: only then is a drain done with it. */
  #finish(call: Call, id: MessageId, answer: object): void {
    this.#calls.delete(id);
    this.#send(answer, () => call.end());
  }

  #begin(op: string): Call {
    return this.#context.traffic.begin(`ws ${op}`, this.client);
  }

  #refuse(id: MessageId | null, op: string, error: AssayError, parcel: Parcel): void {
    const call = this.#begin(op);
    parcel.release();
    this.#send({ id, ok: false, ...errorBody(error) });
    report(this.#context, call, error.code, error);
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
function opIn(value: unknown, ops: Ops): Op {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw fail('BAD_REQUEST', { reason: 'the message: expected an object with id and op' });
  const { op } = value as { op?: unknown };
  const names = [...ops.keys()];
  const known = names.join(', ');
  if (typeof op !== 'string') throw fail('BAD_REQUEST', { reason: `op: expected one of ${known}` });
  const row = ops.get(op);
  if (row) return row;
  const word = op.slice(0, MAX_ECHO);
  const near = nearest(word, names);
  throw fail('UNKNOWN_OP', { op: word, known: near ? `${known}; did you mean "${near}"?` : known });
}
