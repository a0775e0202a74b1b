/** Workflows as the editor saves them. */
import { describe, expect, it } from 'vitest';
import { graphIn, promptOfSaved } from '../../src/prompt/workflow/saved.ts';

interface Slot {
  name: string;
  type?: string;
  from?: [node: number, slot: number];
  widget?: boolean;
}
interface Made {
  id: number;
  type: string;
  inputs?: Slot[];
  outputs?: string[];
  values?: unknown;
  mode?: number;
}

/** Nodes as the editor writes them: links are numbered, and stand apart. */
function level(made: Made[], asObjects = false) {
  const links: unknown[] = [];
  const wire = (from: [number, number], to: number, slot: number): number => {
    const id = links.length + 1;
    const flat = [id, ...from, to, slot, '*'];
    const [, origin_id, origin_slot, target_id, target_slot] = flat;
    links.push(asObjects ? { id, origin_id, origin_slot, target_id, target_slot } : flat);
    return id;
  };
  const nodes = made.map(({ id, type, inputs = [], outputs = ['*'], values = [], mode = 0 }) => ({
    ...{
      id,
      type,
      mode,
      widgets_values: values,
      outputs: outputs.map((kind) => ({ name: kind, type: kind })),
    },
    inputs: inputs.map(({ name, type: kind = '*', from, widget }, slot) => ({
      ...{ name, type: kind, link: from ? wire(from, id, slot) : null },
      ...(widget && { widget: { name } }),
    })),
  }));
  return { nodes, links, wire };
}

const LOADER: Made = { id: 4, type: 'CheckpointLoaderSimple', values: ['m.safetensors'] };
const text = (id: number, words: string, from?: [number, number]): Made => ({
  ...{ id, type: 'CLIPTextEncode', values: [words] },
  inputs: [{ name: 'clip', from: [4, 1] }, ...(from ? [{ name: 'text', from, widget: true }] : [])],
});
/** The sampler is guided by `from`. */
const rest = (from: [number, number]): Made[] => [
  LOADER,
  text(7, 'blurry'),
  {
    ...{ id: 3, type: 'KSampler', values: [1, 'randomize', 20, 7, 'euler', 'normal', 1] },
    inputs: [
      { name: 'model', from: [4, 0] },
      { name: 'positive', from },
      { name: 'negative', from: [7, 0] },
    ],
  },
  { id: 8, type: 'VAEDecode', inputs: [{ name: 'samples', from: [3, 0] }] },
  { id: 9, type: 'SaveImage', inputs: [{ name: 'images', from: [8, 0] }], values: ['x'] },
];

function find(made: Made[], definitions?: object) {
  const { nodes, links } = level(made);
  const opened = graphIn({ nodes, links, version: 0.4, ...(definitions && { definitions }) })!;
  expect(opened.fromEditor).toBe(true);
  return promptOfSaved(opened.graph, null);
}

describe('the prompt of a workflow of the editor', () => {
  it.each<[string, Made[], [number, number]]>([
    ['plain', [text(6, 'a red fox')], [6, 0]],
    [
      'behind a reroute',
      [text(6, 'a red fox'), { id: 10, type: 'Reroute', inputs: [{ name: '', from: [6, 0] }] }],
      [10, 0],
    ],
    [
      'in a primitive',
      [text(6, 'an old frog', [10, 0]), { id: 10, type: 'PrimitiveNode', values: ['a red fox'] }],
      [6, 0],
    ],
    [
      'behind a bypassed node',
      [
        text(6, 'a red fox'),
        {
          ...{ id: 10, type: 'ControlNetApply', mode: 4, outputs: ['CONDITIONING'] },
          inputs: [
            { name: 'image', type: 'IMAGE' },
            { name: 'conditioning', type: 'CONDITIONING', from: [6, 0] },
          ],
        },
      ],
      [10, 0],
    ],
    [
      'kept and fetched',
      [
        text(6, 'a red fox'),
        { id: 10, type: 'SetNode', inputs: [{ name: 'CONDITIONING', from: [6, 0] }], values: ['words'] },
        { id: 11, type: 'GetNode', values: ['words'] },
      ],
      [11, 0],
    ],
    [
      'in a node that names its values',
      [
        {
          ...{ id: 6, type: 'SomeTextEncode', values: [5, 'fixed', 'a red fox'] },
          inputs: [
            { name: 'clip', from: [4, 1] },
            { name: 'seed', type: 'INT', widget: true },
            { name: 'text', type: 'STRING', widget: true },
          ],
        },
      ],
      [6, 0],
    ],
    [
      'in a node that keeps its values by name',
      [
        {
          id: 6,
          type: 'SomeTextEncode',
          values: { text: 'a red fox' },
          inputs: [{ name: 'clip', from: [4, 1] }],
        },
      ],
      [6, 0],
    ],
  ])('%s', (_where, made, from) => {
    expect(find([...made, ...rest(from)])).toMatchObject({
      prompt: 'a red fox',
      negative: 'blurry',
      certain: true,
    });
  });

  it('is none when its node is muted, or does not name its values', () => {
    expect(find([{ ...text(6, 'a red fox'), mode: 2 }, ...rest([6, 0])]).prompt).toBeNull();
    const nameless: Made = {
      id: 6,
      type: 'SomeTextEncode',
      values: [5, 'a red fox'],
      inputs: [{ name: 'clip', from: [4, 1] }],
    };
    expect(find([nameless, ...rest([6, 0])]).prompt).toBeNull();
  });

  it('is found inside of subgraphs, and outside of them from within', () => {
    const inside = level(
      [text(6, 'an old frog', [-10, 0])].map((made) => ({
        ...made,
        inputs: made.inputs!.filter(({ name }) => name === 'text'),
      })),
      true,
    );
    inside.wire([6, 0], -20, 0);
    const subgraph = { id: 'abc', nodes: inside.nodes, links: inside.links };
    const instance: Made = { id: 20, type: 'abc', inputs: [{ name: 'words', from: [10, 0] }] };
    const primitive: Made = { id: 10, type: 'PrimitiveString', values: ['a red fox'] };
    expect(find([primitive, instance, ...rest([20, 0])], { subgraphs: [subgraph] })).toMatchObject({
      prompt: 'a red fox',
      from: 'workflow node 10 (PrimitiveString)',
    });
  });

  it.each([
    [{ nodes: [null, 5, {}], links: [[], {}, null, [1, 2]] }],
    [
      {
        nodes: [{ id: '__proto__', type: 'SaveImage', inputs: [{ name: 'images', link: 1 }] }],
        links: [[1, '__proto__', 0, '__proto__', 0]],
      },
    ],
    [
      {
        nodes: [{ id: 1, type: 'a' }],
        definitions: {
          subgraphs: [
            {
              id: 'a',
              nodes: [
                { id: 1, type: 'a' },
                { id: 2, type: 'a' },
              ],
            },
          ],
        },
      },
    ],
  ])('survives %j', (workflow) => {
    expect(promptOfSaved(graphIn(workflow)!.graph, null).prompt).toBeNull();
  });
});
