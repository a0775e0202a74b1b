/** `GET /v1/ws`: where the websocket is, and what the document says of it. */
import type { RouteDocs } from '../routes/docs.ts';

export const SOCKET_PATH = '/v1/ws';

/** @param ops names of what it takes */
export const socketDocs = (ops: readonly string[]): RouteDocs => ({
  summary: 'Websocket: many requests in flight, answers by id',
  description: `Messages are \`{id, op, …}\` with op ${ops.join(', ')} (schemas \`Socket…\`).
Each is answered once, in any order: \`{id, ok: true, …}\` or \`{id, ok: false, error}\`.
\`subscribe\` starts events \`{event: "result", client, result}\` and \`{event: "warning", warning}\`, as in GET /v1/monitor; one that is too slow gets \`{event: "lost", count}\`.
A request past its deadline is answered with what is finished; the other items carry the error DEADLINE.
Large messages are read as there is room for them; \`cancel\` and \`ping\` are answered at once.
Answer pings: a peer that is silent for ten minutes is dropped. A client on the same machine may mask its frames
with zeros; the daemon then takes raw pixels as they are, which saves most of its time for them.`,
  answers: { 101: { description: 'switched to assay.v1.msgpack or assay.v1.json' } },
  errors: ['BAD_REQUEST'],
});
