/** One row an op of the websocket: what its message has, and what it does. */
import { z } from 'zod';
import type { Route, Work } from '../routes/route.ts';
import { type MessageId, messageId } from '../wire/schemas.ts';

export interface SocketMessage {
  id: MessageId;
}

/** What an op may do to the session that its message came on. */
export interface SessionControl {
  /** @returns whether a request of that id was in work */
  cancel(id: MessageId): boolean;
  subscribe(): void;
}

/** Answered at once, while the daemon drains, too: it carries no images, and is not worth a log line. */
export interface InstantOp<Message = SocketMessage> {
  kind: 'instant';
  name: string;
  message: z.ZodType<SocketMessage>;
  perform(session: SessionControl, message: Message): object;
}

/** Waits until the websocket has less in work; many are in flight, and each can be cancelled. */
export interface QueuedOp<Message = SocketMessage> {
  kind: 'queued';
  name: string;
  message: z.ZodType<SocketMessage>;
  /** How many images it carries. */
  itemsIn(message: Message): number;
  run(work: Work, message: Message): Promise<object>;
}

export type Op = InstantOp | QueuedOp;

const messageOf = (op: string, fields: z.ZodRawShape) =>
  z.strictObject({ id: messageId, op: z.literal(op), ...fields }) as unknown as z.ZodType<SocketMessage>;

/** An op that only the websocket has. */
export function instantOp<Fields extends z.ZodRawShape>(
  name: string,
  fields: Fields,
  perform: InstantOp<SocketMessage & z.output<z.ZodObject<Fields>>>['perform'],
): InstantOp<never> {
  return { kind: 'instant', name, message: messageOf(name, fields), perform };
}

/** The op of a route that the websocket has, too. */
export function opOf(route: Route): QueuedOp | undefined {
  const { socket } = route;
  if (!socket) return undefined;
  return {
    kind: 'queued',
    name: socket.op,
    message: messageOf(socket.op, socket.fields),
    itemsIn: (message) => socket.itemsIn(message),
    run: async (work, message) =>
      (await route.handler(work, socket.inputOf(message, work.context))).body as object,
  };
}
