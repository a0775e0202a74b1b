/** Workflows in API format: node ids to `{ class_type, inputs }`. Anything else is refused with words that help. */
import { z } from 'zod';
import { fail, reasonOf } from '../../../../errors/error.ts';
import type { Workflow } from '../../../../host.ts';
import { parseJson } from '../../../../lib/python-json.ts';
import { isObject } from '../../link/values.ts';

const nodeSchema = z.looseObject({
  class_type: z.string().min(1),
  inputs: z.record(z.string(), z.unknown()),
});
export type GraphNode = z.infer<typeof nodeSchema>;
export type Graph = Readonly<Record<string, GraphNode>>;

/**
 * Reads a workflow from the text of a file: the API format, bare or as the body of a request (`{"prompt": …}`).
 *
 * @param source what the errors call it: a path, for one
 * @throws WORKFLOW_INVALID, WORKFLOW_UI_FORMAT
 */
export function readWorkflow(text: string, source: string): Workflow {
  let value: unknown;
  try {
    value = parseJson(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw fail('WORKFLOW_INVALID', { source, reason: `it is not JSON (${reasonOf(cause)})` }, { cause });
  }
  return checkWorkflow(value, source);
}

/**
 * The graph in `value`, without what must not be queued again.
 *
 * @throws WORKFLOW_INVALID naming the first node that does not fit, WORKFLOW_UI_FORMAT
 */
export function checkWorkflow(value: unknown, source: string): Graph {
  if (!isObject(value)) throw invalid(source, 'the top level is not an object');
  if (Array.isArray(value.nodes)) throw fail('WORKFLOW_UI_FORMAT', { source });
  if (isObject(value.prompt) && !('class_type' in value.prompt)) return checkWorkflow(value.prompt, source);
  const nodes = Object.entries(value);
  if (nodes.length === 0) throw invalid(source, 'it has no nodes');
  return Object.fromEntries(nodes.map(([id, node]) => [id, checkNode(id, node, source)]));
}

function checkNode(id: string, value: unknown, source: string): GraphNode {
  const parsed = nodeSchema.safeParse(value);
  if (!parsed.success) {
    const lacks = isObject(value)
      ? `has no usable ${String(parsed.error.issues[0]!.path[0])}`
      : 'is not an object';
    throw invalid(source, `node ${JSON.stringify(id)} ${lacks}`);
  }
  // Files that the host saved carry the fingerprint of their run here; sent back, it would stop a fresh one.
  const { is_changed: _, ...node } = parsed.data;
  return node as GraphNode;
}

const invalid = (source: string, reason: string) => fail('WORKFLOW_INVALID', { source, reason });
