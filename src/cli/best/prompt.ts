/** The prompt that the images of a study are judged by, as far as the workflow tells before the first one is made. Pure. */
import type { InputValue, Template, Workflow } from '../../host.ts';
import type { Plan } from '../../loops/study/folder.ts';
import { findInMade } from '../../prompt/made.ts';
import { findInWorkflow } from '../../prompt/workflow/find.ts';
import type { PromptFound } from '../../types/prompt.ts';
import { shorten } from '../terminal/table.ts';
import { printable } from '../terminal/verdicts.ts';

const WIDTH = 60;

/** Nodes that nothing is linked to: images end there. */
function endsOf(graph: Workflow): string[] {
  const linked = new Set<string>();
  for (const { inputs = {} } of Object.values(graph) as { inputs?: object }[])
    for (const value of Object.values(inputs)) if (Array.isArray(value)) linked.add(String(value[0]));
  return Object.keys(graph).filter((id) => !linked.has(id));
}

/** What is found above the ends of a graph, each prompt once. */
function promptsInGraph(graph: Workflow): PromptFound[] {
  const found = endsOf(graph)
    .map((node) => findInWorkflow({ graph, node }))
    .filter(({ prompt }) => prompt !== null);
  return [...new Map(found.map((one) => [one.prompt, one])).values()];
}

/** What images are made from with these values: by the input that holds it, or by a search in the graph. */
function promptsWith(template: Template, values: Readonly<Record<string, InputValue>>): PromptFound[] {
  const { prompt: input } = template;
  if (!input) return promptsInGraph(template.with(values));
  const found = findInMade({ infotext: String(values[input.name] ?? input.value) });
  return found.prompt === null ? [] : [{ ...found, from: input.name }];
}

const quoted = (text: string): string => `"${shorten(printable(text), WIDTH)}"`;

/** Axes that the prompt changes with. */
function changing({ spec }: Pick<Plan, 'spec'>, template: Template): string[] {
  const wordsWith = (name: string, value: string | number | boolean) =>
    promptsWith(template, { [name]: value }).map(({ prompt }) => prompt);
  return Object.entries(spec.axes).flatMap(([name, axis]) => {
    if (!('values' in axis)) return [];
    const [first, last] = [axis.values[0]!, axis.values.at(-1)!];
    return `${wordsWith(name, first)}` === `${wordsWith(name, last)}` ? [] : [name];
  });
}

/** For people: `prompt: "a fox" (workflow node 4 (CLIPTextEncode))`. */
export function promptWords({ prompt, spec }: Pick<Plan, 'prompt' | 'spec'>, template: Template): string {
  if (prompt !== null) return `prompt: ${quoted(prompt)} (--prompt)`;
  const varied = changing({ spec }, template);
  if (varied.length > 0) return `prompt: varied by ${varied.join(', ')}`;
  const found = promptsWith(template, {});
  if (found.length === 0) return 'no prompt found: judged by quality alone; --prompt gives one';
  return `prompt: ${found.map((one) => `${quoted(one.prompt!)} (${one.from})`).join(', or ')}`;
}
