/** `assay prompt`: what prompt is found in an image or a workflow, where, how sure, and why. */
import { fail } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { nearest } from '../errors/nearest.ts';
import { isImageFile, textsOf } from '../files/metadata/texts.ts';
import { readWhole } from '../lib/plain-file.ts';
import { parseLenient } from '../lib/python-json.ts';
import { findInTexts, workflowIn } from '../prompt/file.ts';
import { findAt } from '../prompt/workflow/find.ts';
import { openGraph } from '../prompt/workflow/graph.ts';
import { graphIn, promptOfSaved, type Saved, savedBy } from '../prompt/workflow/saved.ts';
import type { PromptFound } from '../types/prompt.ts';
import { table } from './terminal/table.ts';
import { printable, printableLines } from './terminal/verdicts.ts';

export interface PromptFlags {
  node?: string;
  format: 'table' | 'json';
}

/** A node that saves images, and their prompt. */
type Told = PromptFound & { node: string; class: string };

/** The prompt of a file, and of each of its savers where a workflow has several. */
type Answer = PromptFound & { nodes?: Told[] };

/** @throws NODE_UNKNOWN */
function atNode(graph: Record<string, unknown>, node: string, path: string): PromptFound {
  if (Object.hasOwn(graph, node) || /[.:]/.test(node)) return findAt(openGraph(graph), node);
  const ids = Object.keys(graph);
  const near = nearest(node, ids);
  const savers = savedBy(graph).map((saved) => saved.node.id);
  throw fail('NODE_UNKNOWN', {
    path,
    node,
    hint: near === undefined ? '' : `, did you mean "${near}"?`,
    known: savers.join(', ') || 'none',
  });
}

const toldOf = ({ node, found }: Saved): Told => ({ node: node.id, class: node.class, ...found });

function inGraph(graph: Record<string, unknown>, path: string, node: string | undefined): Answer {
  if (node !== undefined) return atNode(graph, node, path);
  const saved = savedBy(graph);
  const found = promptOfSaved(graph, null);
  return saved.length > 1 ? { ...found, nodes: saved.map(toldOf) } : found;
}

/** @throws NODE_UNKNOWN, WORKFLOW_INVALID when a node of it is asked for and it holds no workflow */
function inImage(bytes: Uint8Array, path: string, node: string | undefined): Answer {
  const texts = textsOf(bytes);
  if (node === undefined) return findInTexts(texts, path);
  const graph = workflowIn(texts);
  if (!graph) throw fail('WORKFLOW_INVALID', { source: path, reason: 'the image carries no workflow' });
  return atNode(graph, node, path);
}

/** @throws PROMPT_SOURCE_UNKNOWN, WORKFLOW_INVALID, NODE_UNKNOWN */
function inText(bytes: Uint8Array, path: string, node: string | undefined): Answer {
  let value: unknown;
  try {
    value = parseLenient(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw fail('PROMPT_SOURCE_UNKNOWN', { path, reason: 'it is not JSON' }, { cause });
  }
  const opened = graphIn(value);
  if (!opened) throw fail('WORKFLOW_INVALID', { source: path, reason: 'nothing in it has a class_type' });
  const answer = inGraph(opened.graph, path, node);
  if (!opened.fromEditor || answer.prompt !== null) return answer;
  const hint = 'the editor saves not all names of values: export it with Workflow > Export (API)';
  return { ...answer, reason: [answer.reason, hint].filter(Boolean).join('; ') };
}

/** Lines of a text stand below each other behind its title. */
const line = (title: string, text: string | null): string =>
  text === null ? '' : `${title.padEnd(10)}${printableLines(text).replaceAll('\n', `\n${' '.repeat(10)}`)}\n`;

function textOf({ prompt, negative, from, original, certain, reason, nodes = [] }: Answer): string {
  const rows = table(
    nodes,
    [
      { title: 'node', value: ({ node }) => printable(node) },
      { title: 'saves by', value: (row) => printable(row.class) },
      {
        title: 'prompt',
        value: (row) => printable((row.prompt ?? '').replaceAll('\n', ' ')),
        flexible: true,
      },
      {
        title: 'why not',
        value: (row) => (row.prompt === null ? printable(row.reason ?? '') : ''),
        flexible: true,
      },
    ],
    process.stdout,
  );
  return [
    line('prompt', prompt ?? '(none)'),
    line('negative', negative),
    line('from', from),
    line('as given', original),
    line('certain', certain ? 'yes' : 'no'),
    line('reason', reason),
    nodes.length > 0 ? `\n${rows}` : '',
  ].join('');
}

/**
 * The prompt of an image or a workflow.
 *
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, PROMPT_SOURCE_UNKNOWN, WORKFLOW_INVALID, NODE_UNKNOWN
 */
export async function promptIn(path: string, node?: string): Promise<Answer> {
  const { bytes } = await readWhole(path);
  return isImageFile(bytes) ? inImage(bytes, path, node) : inText(bytes, path, node);
}

/** Prints what was found; that there is no prompt is an answer, too. */
export async function prompt(path: string, { node, format }: PromptFlags): Promise<number> {
  const answer = await promptIn(path, node);
  process.stdout.write(format === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : textOf(answer));
  return EXIT.ok;
}
