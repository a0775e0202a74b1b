/** One row a route: what it takes, what it does, what the document says of it. HTTP, websocket and OpenAPI read it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Call } from '../call.ts';
import type { ServerContext } from '../context.ts';
import type { Answer } from '../http/reply.ts';
import type { RouteDocs } from './docs.ts';

/** What a handler has at hand, however the request came. */
export interface Work {
  context: ServerContext;
  call: Call;
}

/** One request over HTTP. */
export interface Exchange extends Work {
  request: IncomingMessage;
  response: ServerResponse;
}

export interface Route<Input = unknown> {
  method: 'get' | 'post';
  path: string;
  /** What the handler needs of a request over HTTP; nothing when absent. Given up at the deadline. */
  read?(exchange: Exchange): Promise<Input> | Input;
  /** Returns the answer, or throws a coded error. */
  handler(work: Work, input: Input): Promise<Answer> | Answer;
  /** The same as an op of the websocket; its answer is an object. */
  socket?: SocketForm<Input>;
  docs: RouteDocs;
  /** Answered while the daemon drains, too. */
  always?: true;
  /** Asked every few seconds by machines: not worth a log line. */
  quiet?: true;
  /** Answered without the token. */
  open?: true;
}

/** How a websocket asks for a route. */
export interface SocketForm<Input, Message = unknown> {
  op: string;
  /** The message, beside its `id` and `op`. */
  fields: z.ZodRawShape;
  /** How much of what a websocket may have in work it takes. */
  itemsIn(message: Message): number;
  inputOf(message: Message, context: ServerContext): Input;
}
