/** examples/comfyui: the workflows hold together, and on a real ComfyUI they do what their README says. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasPackage } from '../../src/bridge/hosts/comfyui/install/python.ts';
import { createComfyHost } from '../../src/bridge/hosts/comfyui/link/host.ts';
import { checkWorkflow, type Graph, readWorkflow } from '../../src/bridge/hosts/comfyui/workflow/workflow.ts';
import { policySchema } from '../../src/config.ts';
import { NODES, type NodeDefinition } from '../../src/nodes/index.ts';
import { assay, serve } from '../support/cli.ts';
import { hasReal, START_MS, startReal } from '../support/comfyui/real.ts';
import { tempFolder } from '../support/files.ts';

const folder = fileURLToPath(new URL('../../examples/comfyui/', import.meta.url));
const templates = fileURLToPath(new URL('../../python-shim/comfyui/example_workflows/', import.meta.url));
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');
const graphOf = (name: string): Graph => checkWorkflow(readWorkflow(textOf(name), name), name);

type Link = [source: string, output: number];
const isLink = (value: unknown): value is Link =>
  Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number';
const linksOf = (graph: Graph): [node: string, input: string, link: Link][] =>
  Object.entries(graph).flatMap(([id, node]) =>
    Object.entries(node.inputs).flatMap(([name, value]) =>
      isLink(value) ? [[id, name, value] as [string, string, Link]] : [],
    ),
  );

const definitionOf = (type: string): NodeDefinition | undefined => NODES.find((node) => node.id === type);

/** Also in ComfyUI's template browser. */
const WORKFLOWS = ['gate.json', 'best-of-batch.json', 'gate-into-best.json', 'shelf.json'];

describe.each(WORKFLOWS)('%s', (name) => {
  const graph = graphOf(name);
  const ours = Object.values(graph).filter((node) => node.class_type.startsWith('Assay'));

  it('has links that lead to outputs', () => {
    const links = linksOf(graph);
    expect(links.length).toBeGreaterThan(4);
    for (const [, , [source, output]] of links) {
      expect(graph).toHaveProperty(source);
      const definition = definitionOf(graph[source]!.class_type);
      if (definition) expect(definition.outputs[output]?.type).toBe('IMAGE');
    }
  });

  it('gives our nodes the inputs that they have, and all that they need', () => {
    expect(ours.length).toBeGreaterThan(0);
    for (const { class_type, inputs } of ours) {
      const known = definitionOf(class_type)!.inputs;
      const names = known.map((input) => input.name);
      expect(names).toEqual(expect.arrayContaining(Object.keys(inputs)));
      const needed = known.filter((input) => !('optional' in input && input.optional)).map((i) => i.name);
      expect(Object.keys(inputs)).toEqual(expect.arrayContaining(needed));
      for (const input of known)
        if (input.type === 'COMBO') expect(input.choices).toContain(inputs[input.name]);
    }
  });
});

it.each(WORKFLOWS)('%s is the same in the template browser', (name) => {
  const saved = JSON.parse(readFileSync(join(templates, name), 'utf8')) as SavedWorkflow;
  expect(asGraph(saved)).toEqual(bare(graphOf(name)));
});

it('has every workflow in the template browser, and pictures for nothing else', () => {
  const names = readdirSync(templates);
  expect(names.filter((name) => name.endsWith('.json')).toSorted()).toEqual(WORKFLOWS.toSorted());
  const pictured = names.filter((name) => name.endsWith('.jpg')).map((name) => name.replace('.jpg', '.json'));
  expect(WORKFLOWS).toEqual(expect.arrayContaining(pictured));
});

it('has a policy that the watch takes', () => {
  const { actions, ...policy } = JSON.parse(textOf('watch-policy.json'));
  expect(policySchema.parse(policy).aspects).toEqual({ quality: { minPercentile: 0.05 } });
  expect(actions).toEqual({ accept: 'keep', unsure: 'keep', reject: 'move' });
});

interface SavedNode {
  id: number;
  type: string;
  inputs: { name: string; link: number | null; widget?: unknown }[];
  widgets_values: unknown[];
}

interface SavedWorkflow {
  nodes: SavedNode[];
  links: [id: number, source: number, output: number, target: number, input: number, type: string][];
}

type Bare = Record<string, { class_type: string; inputs: Record<string, unknown> }>;

/** Without titles, and without the texts that are empty unless written. */
const bare = (graph: Graph): Bare =>
  Object.fromEntries(
    Object.entries(graph).map(([id, { class_type, inputs }]) => [id, { class_type, inputs: { ...inputs } }]),
  );

/** What the editor makes of a saved workflow when it runs it. */
function asGraph({ nodes, links }: SavedWorkflow): Bare {
  const inputsOf = (node: SavedNode): Record<string, unknown> => {
    // The choice of what happens to a seed after a run is a widget without an input.
    const values = node.widgets_values.filter((value) => value !== 'fixed' && value !== 'increment');
    const entries = node.inputs.map(({ name, link, widget }) => {
      const from = links.find(([id]) => id === link);
      if (from) return [name, [`${from[1]}`, from[2]]];
      return [name, widget ? values.shift() : undefined];
    });
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== ''));
  };
  const running = nodes.filter((node) => node.type !== 'MarkdownNote');
  return Object.fromEntries(running.map((n) => [n.id, { class_type: n.type, inputs: inputsOf(n) }]));
}

/** The node pack as the command installs it. */
async function installedPack(): Promise<string> {
  const base = tempFolder();
  for (const name of ['custom_nodes', 'models']) mkdirSync(join(base, name));
  expect((await assay(['install', 'comfyui', base])).code).toBe(0);
  return join(base, 'custom_nodes/assay');
}

const python = process.env.COMFYUI_PYTHON ?? 'python3';
const canRun = hasReal && hasPackage(python, 'msgpack') === true;

/** Lines of the README's blocks of text. */
const promised = [...textOf('README.md').matchAll(/^```text\n([\s\S]*?)^```/gm)].map((m) =>
  m[1]!.trim().split('\n'),
);

/** What our node said in the history, line by line. */
async function saidIn(url: string, id: string): Promise<string[]> {
  const answer = await fetch(`${url}/history/${id}`, { signal: AbortSignal.timeout(10_000) });
  const { outputs } = (
    (await answer.json()) as Record<string, { outputs: Record<string, { text?: string[] }> }>
  )[id]!;
  return Object.values(outputs).flatMap((output) => output.text ?? []);
}

describe.skipIf(!canRun)('on a real ComfyUI with the installed nodes (COMFYUI_DIR)', () => {
  it(
    'the workflows save what their README says',
    async () => {
      const daemon = await serve(['--data-dir', tempFolder()]);
      const comfy = await startReal({ packs: [await installedPack()], env: { ASSAY_URL: daemon.url } });
      onTestFinished(() => comfy.stop());
      const host = createComfyHost({ url: comfy.url });
      onTestFinished(() => host.close());
      const signal = AbortSignal.timeout(60_000);
      for (const [place, name] of WORKFLOWS.entries()) {
        const { id, faults } = await host.submit(readWorkflow(textOf(name), name), signal);
        expect(faults).toEqual([]);
        for await (const event of host.follow(id, signal))
          if (event.kind === 'ended') expect(event.run.status).toBe('success');
        const [head, ...lines] = promised[place]!;
        const said = await saidIn(comfy.url, id);
        expect(said[0]).toBe(head);
        // Figures differ between processors, and posters between versions of Pillow; what becomes of them does not.
        const verdictOf = (line: string) => line.split(':')[0]!.replace(/^#\d+ /, '');
        expect(said.slice(1, lines.length + 1).map(verdictOf)).toEqual(lines.map(verdictOf));
      }
      const kinds = readdirSync(join(comfy.outputDir, 'assay')).map((file) => file.split('_')[0]);
      const counts = Object.groupBy(kinds, (kind) => kind!);
      expect(Object.fromEntries(Object.entries(counts).map(([kind, all]) => [kind, all!.length]))).toEqual({
        accepted: 4,
        rejected: 4,
        best: 2,
        winner: 1,
        shelf: 2,
      });
    },
    START_MS + 60_000,
  );
});
