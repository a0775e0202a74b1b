/** Puts a workflow into the host's queue, and puts the host's complaints into words. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AssayError, fail } from '../../../../errors/error.ts';
import type { NodeFault, Submission } from '../../../../host.ts';
import { gistOf, type Http, parseReply, type Reply } from '../../link/http.ts';
import type { Graph } from '../workflow/workflow.ts';

const text = z.coerce.string().catch('');
const nodeErrors = z
  .record(
    z.string(),
    z.looseObject({
      class_type: text,
      errors: z.array(z.looseObject({ message: text, details: text })).catch([]),
    }),
  )
  // An empty map of Python's may come as an empty list.
  .catch({});
const acceptedSchema = z.looseObject({
  prompt_id: z.string().optional(),
  node_errors: nodeErrors.optional(),
});
const refusedSchema = z.looseObject({
  error: z.union([z.string(), z.looseObject({ message: text, details: text })]),
  node_errors: nodeErrors.optional(),
});
type NodeErrors = z.infer<typeof nodeErrors>;

/** Faults named in one message. */
const MOST_NAMED = 5;

export interface Submitter {
  http: Http;
  /** Whether the run is in the queue or in the history. */
  knows(id: string, signal: AbortSignal): Promise<boolean>;
}

/** Newer hosts take nothing but lower-case UUIDs. */
export const newPromptId = (): string => randomUUID();

/** @throws WORKFLOW_REJECTED */
export async function submitGraph(
  graph: Graph,
  id: string,
  clientId: string,
  context: Submitter,
  signal: AbortSignal,
): Promise<Submission> {
  const body = { prompt: graph, prompt_id: id, client_id: clientId };
  const reply = await postOnce(body, context, signal);
  if (reply === 'taken') return { id, faults: [] };
  if (reply.status === 400 || reply.status === 413) throw rejected(graph, reply, context.http);
  if (reply.status !== 200)
    throw fail('HOST_FAILED', { url: context.http.url, reason: `status ${reply.status} (${gistOf(reply)})` });
  const { prompt_id = id, node_errors = {} } = parseReply(context.http, '/prompt', reply, acceptedSchema);
  return { id: prompt_id, faults: faultsOf(node_errors) };
}

/** A connection that breaks leaves open whether the workflow was taken: the id, which is ours, tells. */
async function postOnce(
  body: { prompt_id: string },
  { http, knows }: Submitter,
  signal: AbortSignal,
): Promise<Reply | 'taken'> {
  try {
    return await http.post('/prompt', body, signal);
  } catch (error) {
    const mayBeTaken = error instanceof AssayError && error.code === 'HOST_UNREACHABLE';
    if (!mayBeTaken) throw error;
    return (await knows(body.prompt_id, signal)) ? 'taken' : await http.post('/prompt', body, signal);
  }
}

const faultsOf = (errors: NodeErrors): NodeFault[] =>
  Object.entries(errors).flatMap(([node, { class_type, errors }]) =>
    errors.map(({ message, details }) => ({
      node,
      nodeType: class_type,
      message: details ? `${message} (${details})` : message,
    })),
  );

function rejected(graph: Graph, reply: Reply, http: Http): AssayError {
  const refused = (reason: string) => fail('WORKFLOW_REJECTED', { host: http.expected, reason });
  if (reply.status === 413) return refused('it is larger than the host accepts (--max-upload-size)');
  const { error, node_errors = {} } = parseReply(http, '/prompt', reply, refusedSchema);
  const faults = faultsOf(node_errors);
  if (faults.length > 0) return refused(listed(faults));
  if (typeof error === 'string') return refused(error);
  return refused(`${named(graph, error.details)}${error.message}`);
}

function listed(faults: NodeFault[]): string {
  const named = faults.slice(0, MOST_NAMED).map((f) => `node ${f.node} (${f.nodeType}): ${f.message}`);
  const more = faults.length - named.length;
  return named.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** Faults of the whole name their node in passing, if at all: `Node ID '#4'`. */
function named(graph: Graph, details: string): string {
  const id = /#([^']+)'/.exec(details)?.[1];
  if (id === undefined) return '';
  return Object.hasOwn(graph, id) ? `node ${id} (${graph[id]!.class_type}): ` : `node ${id}: `;
}
