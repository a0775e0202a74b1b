/** What the fake host says of a graph before it queues it, in the real one's shapes. */
import type { Graph } from './graphs.ts';
import { NODES } from './nodes.ts';

export interface NodeErrors {
  [node: string]: {
    errors: { type: string; message: string; details: string; extra_info: object }[];
    dependent_outputs: string[];
    class_type: string;
  };
}

export interface Validation {
  error?: { type: string; message: string; details: string; extra_info: object };
  nodeErrors: NodeErrors;
  /** Output nodes that will run. */
  outputs: string[];
}

/** Ids of linked nodes. */
export const linksOf = (inputs: Record<string, unknown>): string[] =>
  Object.values(inputs).flatMap((value) => (Array.isArray(value) && value.length === 2 ? [value[0]] : []));

function upstream(graph: Graph, id: string, seen = new Set<string>()): Set<string> {
  if (seen.has(id) || !graph[id]) return seen;
  seen.add(id);
  for (const source of linksOf(graph[id].inputs)) upstream(graph, source, seen);
  return seen;
}

const faultsOf = (graph: Graph, id: string) =>
  NODES[graph[id]!.class_type]!.required.filter((name) => !(name in graph[id]!.inputs)).map((name) => ({
    type: 'required_input_missing',
    message: 'Required input is missing',
    details: name,
    extra_info: { input_name: name },
  }));

export function validate(graph: Graph): Validation {
  const refuse = (type: string, message: string, details = ''): Validation => ({
    error: { type, message, details, extra_info: {} },
    nodeErrors: {},
    outputs: [],
  });
  for (const [id, node] of Object.entries(graph)) {
    if (!node.class_type)
      return refuse(
        'invalid_prompt',
        'Cannot execute because a node is missing the class_type property.',
        `Node ID '#${id}'`,
      );
    if (!NODES[node.class_type])
      return refuse(
        'invalid_prompt',
        `Cannot execute because node ${node.class_type} does not exist.`,
        `Node ID '#${id}'`,
      );
  }
  const all = Object.keys(graph).filter((id) => NODES[graph[id]!.class_type]!.output);
  if (all.length === 0) return refuse('prompt_no_outputs', 'Prompt has no outputs');
  return outputsOf(graph, all);
}

function outputsOf(graph: Graph, all: string[]): Validation {
  const nodeErrors: NodeErrors = {};
  const outputs: string[] = [];
  for (const output of all) {
    const bad = [...upstream(graph, output)].filter((id) => faultsOf(graph, id).length > 0);
    if (bad.length === 0) outputs.push(output);
    for (const id of bad) {
      nodeErrors[id] ??= {
        errors: faultsOf(graph, id),
        dependent_outputs: [],
        class_type: graph[id]!.class_type,
      };
      nodeErrors[id].dependent_outputs.push(output);
    }
  }
  if (outputs.length > 0) return { nodeErrors, outputs };
  const details = Object.values(nodeErrors)
    .map((e) => `* ${e.class_type}: ${e.errors[0]!.message}`)
    .join('\n');
  const error = {
    type: 'prompt_outputs_failed_validation',
    message: 'Prompt outputs failed validation',
    details,
    extra_info: {},
  };
  return { error, nodeErrors, outputs };
}
