/** Graphs as files hold them: which nodes save images, and which of them made a given one. */
import type { PromptFound } from '../../types/prompt.ts';
import { fromEditor, isEditorFormat } from './editor.ts';
import { findAt, noPrompt } from './find.ts';
import { type Graph, isObject, linksIn, type Node, openGraph } from './graph.ts';
import { picturesOf } from './images.ts';

/** A graph, and how it came. */
export interface Opened {
  /** API format. */
  graph: Record<string, unknown>;
  /** It was as the editor saves it. */
  fromEditor: boolean;
}

const isGraph = (value: unknown): value is Record<string, unknown> =>
  isObject(value) && Object.values(value).some((node) => isObject(node) && 'class_type' in node);

/** Names under which hosts and programs wrap a graph. */
const WRAPPERS = ['prompt', 'workflow', 'graph', 'extra_pnginfo', 'input', 'output', 'api', 'data'];

/**
 * The graph in a JSON value: bare, as the editor saves it, as the body of a request or as an entry of a queue or
 * history. Undefined when there is none.
 */
export function graphIn(value: unknown, depth = 0): Opened | undefined {
  if (isGraph(value)) return { graph: value, fromEditor: false };
  if (isEditorFormat(value)) return { graph: fromEditor(value), fromEditor: true };
  if (depth >= 4) return undefined;
  const inside = Array.isArray(value) ? value.slice(0, 8) : isObject(value) ? wrapped(value) : [];
  for (const part of inside) {
    const found = graphIn(part, depth + 1);
    if (found) return found;
  }
  return undefined;
}

/** A history of one run has a single entry under its id. */
function wrapped(value: Record<string, unknown>): unknown[] {
  const named = WRAPPERS.filter((name) => Object.hasOwn(value, name)).map((name) => value[name]);
  const entries = Object.values(value);
  return named.length > 0 ? named : entries.length === 1 ? entries : [];
}

const SAVES = /save|combine|send|websocket|export|output|upload|write/i;
const PREVIEWS = /preview|compar|show|display|view/i;
/** Nodes that are asked. */
const MOST_SAVERS = 40;

/** Nodes that save pictures; where there are none, those that pictures end in, and last those that only show some. */
export function saversIn(graph: Graph): Node[] {
  const nodes = graph.nodes();
  const used = new Set(nodes.flatMap((node) => linksIn(node).map(([, [id]]) => id)));
  const showing = new Set(nodes.filter((node) => picturesOf(node).length > 0));
  const saving = [...showing].filter((node) => SAVES.test(node.class) && !PREVIEWS.test(node.class));
  const ends = nodes.filter((node) => !used.has(node.id) && (showing.has(node) || 'prompt' in node.inputs));
  const others = ends.filter((node) => !PREVIEWS.test(node.class));
  const found = [saving, others, ends].find((some) => some.length > 0) ?? [];
  return found.slice(0, MOST_SAVERS);
}

export interface Saved {
  node: Node;
  found: PromptFound;
}

/** What each of the savers would save. */
export function savedBy(opened: Record<string, unknown>): Saved[] {
  const graph = openGraph(opened);
  return saversIn(graph).map((node) => ({ node, found: findAt(graph, node.id) }));
}

/** Savers begin the names of their files with a prefix. */
function isNamedAfter(node: Node, file: string): boolean {
  const prefix = node.inputs.filename_prefix;
  const start = typeof prefix === 'string' ? prefix.split(/[/\\]/).at(-1)! : '';
  return start !== '' && !start.includes('%') && file.startsWith(start);
}

/**
 * The prompt of the image whose file holds the graph.
 *
 * @param file its name, which may tell which of several savers made it
 */
export function promptOfSaved(opened: Record<string, unknown>, file: string | null): PromptFound {
  const all = savedBy(opened);
  const named = file === null ? [] : all.filter(({ node }) => isNamedAfter(node, file));
  const saved = named.length > 0 ? named : all;
  const first = saved[0];
  if (!first) return noPrompt('the workflow saves no image');
  const words = new Set(saved.map(({ found }) => found.prompt));
  if (words.size === 1) return (saved.find(({ found }) => !found.certain) ?? first).found;
  words.delete(null);
  const ids = saved.map(({ node }) => node.id).join(', ');
  if (words.size > 1) return noPrompt(`its workflow saves images of different prompts (nodes ${ids})`);
  const { found } = saved.find((one) => one.found.prompt !== null)!;
  return { ...found, certain: false, reason: `its workflow saves other images, too (nodes ${ids})` };
}
