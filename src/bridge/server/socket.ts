/** The websocket endpoint: upgrade, subprotocol, the bytes of messages, heartbeat. What messages mean is in session.ts. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type AssayError, fail, toAssayError } from '../../errors.ts';
import { checkAccess, clientOf, pathOf } from './access.ts';
import { tooLarge } from './body.ts';
import type { Parcel } from './budget.ts';
import { type Codec, json, msgpack } from './codec.ts';
import { type Desk, errorBody, report } from './desk.ts';
import { CLOSE } from './frames.ts';
import { acceptUpgrade, checkHandshake, offeredBy } from './handshake.ts';
import { sendRaw } from './reply.ts';
import { Session } from './session.ts';
import { Sink } from './sink.ts';
import { type DataFrame, Websocket } from './websocket.ts';

export const SOCKET_PATH = '/v1/ws';

/** Subprotocols by name. */
const CODECS: ReadonlyMap<string, Codec> = new Map([
  ['assay.v1.msgpack', msgpack],
  ['assay.v1.json', json],
]);

export interface Sockets {
  /** For the `upgrade` event of the HTTP server. @returns whether it was accepted */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean;
  /** Says goodbye to all and waits for them, for a while. */
  close(): Promise<void>;
}

export function createSockets(desk: Desk): Sockets {
  const peers = new Set<Peer>();
  const { heartbeatMs, maxSilenceMs, goodbyeMs } = desk.tuning;
  const heartbeat = setInterval(() => {
    for (const peer of peers) peer.beat(maxSilenceMs);
  }, heartbeatMs).unref();
  return {
    upgrade(request, socket, head) {
      socket.on('error', () => {}); // 'close' follows
      try {
        checkUpgrade(desk, request);
      } catch (thrown) {
        refuseUpgrade(desk, request, socket, toAssayError(thrown));
        return false;
      }
      const protocol = offeredBy(request).find((name) => CODECS.has(name));
      acceptUpgrade(request, socket, protocol);
      const peer = new Peer(desk, socket, CODECS.get(protocol ?? '') ?? json, clientOf(request), () =>
        peers.delete(peer),
      );
      peers.add(peer);
      peer.start(head);
      return true;
    },
    async close() {
      clearInterval(heartbeat);
      const reason = 'the daemon is shutting down';
      await Promise.all([...peers].map((peer) => peer.close(CLOSE.goingAway, reason, goodbyeMs)));
    },
  };
}

/** @throws what `checkAccess` throws, NOT_FOUND, DRAINING, BAD_REQUEST for no handshake and unknown subprotocols */
function checkUpgrade(desk: Desk, request: IncomingMessage): void {
  checkAccess(request, desk.access);
  if (pathOf(request) !== SOCKET_PATH)
    throw fail('NOT_FOUND', { method: 'a websocket', hint: `; it is at ${SOCKET_PATH}` });
  desk.traffic.checkOpen();
  checkHandshake(request);
  const offered = offeredBy(request);
  if (offered.length > 0 && !offered.some((name) => CODECS.has(name)))
    throw fail('BAD_REQUEST', {
      reason: `subprotocol ${offered.join(', ').slice(0, 256)}; known are ${[...CODECS.keys()].join(', ')}`,
    });
}

const STATUS = new Map([
  [400, '400 Bad Request'],
  [401, '401 Unauthorized'],
  [403, '403 Forbidden'],
  [404, '404 Not Found'],
  [503, '503 Service Unavailable'],
]);

function refuseUpgrade(desk: Desk, request: IncomingMessage, socket: Socket, error: AssayError): void {
  const call = desk.traffic.begin('ws upgrade', clientOf(request));
  sendRaw(socket, error, STATUS.get(error.status) ?? '500 Internal Server Error');
  report(desk, call, error.status, error);
  call.end();
}

/** A message whose frames come. */
interface Arriving {
  parcel: Parcel;
  sink: Sink;
}

class Peer {
  readonly #desk: Desk;
  readonly #ws: Websocket;
  readonly #codec: Codec;
  readonly #session: Session;
  #arriving: Arriving | null = null;
  #heard = { read: -1, taken: -1 };
  /** When it last sent something, and last took something, by `performance.now`. */
  #readAt = performance.now();
  #takenAt = performance.now();

  constructor(desk: Desk, socket: Socket, codec: Codec, client: string, onClosed: () => void) {
    this.#desk = desk;
    this.#codec = codec;
    const closed = () => {
      onClosed();
      this.#closed();
    };
    const listener = {
      data: (frame: DataFrame) => this.#receive(frame),
      closed,
      failed: (error: unknown) => desk.log.error({ err: error }, 'websocket failed'),
    };
    this.#ws = new Websocket(socket, listener, desk.outbox, desk.tuning.windowBytes);
    this.#session = new Session(desk, this.#ws, codec, client);
  }

  start(head: Buffer): void {
    this.#desk.metrics.socketOpened();
    this.#ws.start(head);
  }

  close(code: number, reason: string, withinMs: number): Promise<void> {
    return this.#ws.close(code, reason, withinMs);
  }

  /** Drops a peer that is silent, unless we do not listen, or that takes nothing of what it is sent. */
  beat(maxSilenceMs: number): void {
    const now = performance.now();
    const { read, taken } = this.#ws.traffic;
    if (read !== this.#heard.read || this.#ws.isBlocked) this.#readAt = now;
    if (taken !== this.#heard.taken || this.#ws.unsentBytes === 0) this.#takenAt = now;
    this.#heard = { read, taken };
    if (now - Math.min(this.#readAt, this.#takenAt) > maxSilenceMs) this.#ws.terminate();
    else this.#ws.ping();
  }

  #receive(frame: DataFrame): Promise<void> | undefined {
    this.#arriving ??= this.#begin(frame);
    const message = this.#arriving;
    const { maxBodyBytes } = this.#desk.config.limits;
    const least = message.sink.length + frame.bytes.length + (Number.isFinite(frame.left) ? frame.left : 0);
    if (least > maxBodyBytes) return this.#refuse(tooLarge(maxBodyBytes), CLOSE.tooBig);
    const moved = message.sink.add(frame.bytes);
    const room = message.parcel.grow(frame.bytes.length);
    const go = () =>
      frame.isLast ? this.#complete(message, !frame.isText) : (room ?? this.#untilAllowed(message));
    return moved ? moved.then(() => (this.#arriving === message ? go() : undefined)) : go();
  }

  #begin(frame: DataFrame): Arriving {
    const { maxBodyBytes } = this.#desk.config.limits;
    const expected = Math.min(maxBodyBytes, frame.bytes.length + frame.left);
    const parcel = this.#desk.budget.open(expected, (reason) => void this.#refuse(reason, CLOSE.policy));
    return { parcel, sink: new Sink(Number.isFinite(frame.left) ? expected : undefined) };
  }

  #complete({ parcel, sink }: Arriving, isBinary: boolean): Promise<void> | undefined {
    this.#arriving = null;
    parcel.complete();
    return this.#session.receive(sink.take(), isBinary, parcel);
  }

  /** A large message is not read on while too much waits before it; small ones, which `cancel` is, always are. */
  #untilAllowed({ parcel, sink }: Arriving): Promise<void> | undefined {
    const room = sink.length > this.#desk.tuning.smallBytes ? this.#session.room() : undefined;
    if (!room) return undefined;
    parcel.pause(true);
    return room.then(() => parcel.pause(false));
  }

  /** Says what the matter is, then closes. */
  #refuse(error: AssayError, code: number): undefined {
    const call = this.#desk.traffic.begin('ws message', this.#session.client);
    this.#ws.send(this.#codec.encode({ id: null, ok: false, ...errorBody(error) }));
    report(this.#desk, call, error.code, error);
    call.end();
    this.#forget();
    void this.#ws.close(code, error.message.slice(0, 100), this.#desk.tuning.goodbyeMs);
  }

  #forget(): void {
    this.#arriving?.parcel.release();
    this.#arriving = null;
  }

  #closed(): void {
    this.#forget();
    this.#desk.metrics.socketClosed();
    this.#session.close();
  }
}
