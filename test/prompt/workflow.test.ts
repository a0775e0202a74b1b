/** Which text an image was generated from, in graphs as people build them and as nobody should. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findInWorkflow } from '../../src/prompt/workflow/find.ts';
import { flatImages } from '../support/comfyui/graphs.ts';

type Inputs = Record<string, unknown>;
const promptOf = (graph: unknown, node: string): string | null => findInWorkflow({ graph, node }).prompt;
const node = (class_type: string, inputs: Inputs = {}) => ({ class_type, inputs });
const text = (words: unknown) => node('CLIPTextEncode', { text: words, clip: ['4', 1] });

/** Checkpoint 4, sampler 3, decoder 8, output 9; positive 6 and negative 7, unless told otherwise. */
function graph(nodes: Record<string, ReturnType<typeof node>>, sampler: Inputs = {}) {
  return {
    '3': node('KSampler', {
      ...{ seed: 1, model: ['4', 0], positive: ['6', 0], negative: ['7', 0], latent_image: ['5', 0] },
      ...sampler,
    }),
    '4': node('CheckpointLoaderSimple', { ckpt_name: 'a.safetensors' }),
    '5': node('EmptyLatentImage', { width: 64, height: 64, batch_size: 1 }),
    '7': text('ugly, text'),
    '8': node('VAEDecode', { samples: ['3', 0], vae: ['4', 2] }),
    '9': node('SaveImage', { images: ['8', 0], filename_prefix: 'x' }),
    ...nodes,
  };
}

describe('the prompt of an image', () => {
  it('is that of the plain text to image workflow', () => {
    expect(promptOf(graph({ '6': text('  a red fox\n') }), '9')).toBe('a red fox');
  });

  it('joins the texts of several encoders, none twice', () => {
    const sdxl = node('CLIPTextEncodeSDXL', { text_g: 'a fox', text_l: 'a fox', clip: ['4', 1] });
    expect(promptOf(graph({ '6': sdxl }), '9')).toBe('a fox');
    const sd3 = node('CLIPTextEncodeSD3', {
      clip_l: 'fox',
      clip_g: 'fox',
      t5xxl: 'a fox in snow',
      empty_padding: 'none',
    });
    expect(promptOf(graph({ '6': sd3 }), '9')).toBe('a fox in snow');
  });

  it.each([
    ['CLIPTextEncodeHiDream', { clip_l: 'a', clip_g: '', t5xxl: 'b', llama: 'c' }, 'a, b, c'],
    ['CLIPTextEncodeHunyuanDiT', { bert: 'a', mt5xl: 'b' }, 'a, b'],
    ['TextEncodeQwenImageEdit', { prompt: 'make it blue', image: ['5', 0] }, 'make it blue'],
    ['CLIPTextEncodeLumina2', { system_prompt: 'superior', user_prompt: 'an owl' }, 'an owl'],
  ])('is read from %s', (class_type, inputs, prompt) => {
    expect(promptOf(graph({ '6': node(class_type, inputs) }), '9')).toBe(prompt);
  });

  it('goes through guiders and conditioning nodes', () => {
    const flux = {
      '9': node('SaveImage', { images: ['8', 0] }),
      '8': node('VAEDecode', { samples: ['13', 0], vae: ['10', 0] }),
      '13': node('SamplerCustomAdvanced', {
        noise: ['25', 0],
        guider: ['22', 0],
        sigmas: ['17', 0],
        latent_image: ['5', 0],
      }),
      '22': node('BasicGuider', { model: ['12', 0], conditioning: ['26', 0] }),
      '26': node('FluxGuidance', { guidance: 3.5, conditioning: ['6', 0] }),
      '6': text('a lighthouse'),
    };
    expect(promptOf(flux, '9')).toBe('a lighthouse');
    const cfg = {
      ...flux,
      '22': node('CFGGuider', { model: ['12', 0], positive: ['6', 0], negative: ['7', 0] }),
      '7': text('bad'),
    };
    expect(promptOf(cfg, '9')).toBe('a lighthouse');
  });

  it('combines conditionings', () => {
    const combined = {
      '6': node('ConditioningCombine', { conditioning_1: ['30', 0], conditioning_2: ['31', 0] }),
      '30': text('left: a fox'),
      '31': node('ConditioningSetArea', { conditioning: ['32', 0], width: 64 }),
      '32': text('right: an owl'),
    };
    expect(promptOf(graph(combined), '9')).toBe('left: a fox, right: an owl');
  });

  it('keeps to its side of nodes that pass both on', () => {
    const control = node('ControlNetApplyAdvanced', {
      ...{ positive: ['6', 0], negative: ['7', 0], control_net: ['41', 0], image: ['42', 0], strength: 1 },
    });
    const nodes = { '6': text('a fox'), '40': control };
    expect(promptOf(graph(nodes, { positive: ['40', 0], negative: ['40', 1] }), '9')).toBe('a fox');
  });

  it.each([
    ['a primitive', { '50': node('PrimitiveStringMultiline', { value: 'a fox' }) }, 'a fox'],
    [
      'a chain',
      { '50': node('Reroute', { '': ['51', 0] }), '51': node('Text Multiline', { text: 'a fox' }) },
      'a fox',
    ],
    [
      'a join',
      {
        '50': node('StringConcatenate', { string_a: 'a fox', string_b: ['51', 0], delimiter: ' in ' }),
        '51': node('PrimitiveString', { value: 'snow' }),
      },
      'a fox in snow',
    ],
    [
      'a choice',
      {
        '50': node('ImpactWildcardProcessor', {
          wildcard_text: '{a|b}',
          populated_text: 'b',
          mode: 'populate',
        }),
      },
      'b',
    ],
  ])('is fetched from behind %s', (_what, nodes, prompt) => {
    expect(promptOf(graph({ '6': text(['50', 0]), ...nodes }), '9')).toBe(prompt);
  });

  it('is that of the sampler that is nearest to the output', () => {
    const refined = graph(
      {
        '6': text('final words'),
        '20': node('KSampler', {
          model: ['4', 0],
          positive: ['21', 0],
          negative: ['7', 0],
          latent_image: ['5', 0],
        }),
        '21': text('first words'),
        '60': node('ImageScale', { image: ['61', 0] }),
        '61': node('VAEDecode', { samples: ['20', 0] }),
        '62': node('SaveImage', { images: ['60', 0] }),
      },
      { latent_image: ['20', 0] },
    );
    expect(promptOf(refined, '9')).toBe('final words');
    expect(promptOf(refined, '62')).toBe('first words');
  });

  it('is found in generators that take it themselves', () => {
    const api = {
      '1': node('FluxProUltraImageNode', { prompt: 'a fox', seed: 1 }),
      '9': node('SaveImage', { images: ['1', 0] }),
    };
    expect(promptOf(api, '9')).toBe('a fox');
    const loader = { '30': node('Efficient Loader', { positive: 'a fox', negative: 'bad', ckpt_name: 'x' }) };
    expect(promptOf(graph(loader, { positive: ['30', 1], negative: ['30', 2] }), '9')).toBe('a fox');
  });
});

describe('there is no prompt', () => {
  it.each([
    ['without a sampler', flatImages()],
    ['when the positive link leads nowhere', graph({})],
    ['when it is empty', graph({ '6': text('   ') })],
    [
      'when it is silenced',
      graph({ '6': node('ConditioningZeroOut', { conditioning: ['70', 0] }), '70': text('a fox') }),
    ],
    ['when only the negative one is there', graph({}, { positive: undefined })],
    ['when the text leads nowhere', graph({ '6': text(['77', 0]) })],
    [
      'in a circle of conditionings',
      graph({ '6': node('ConditioningCombine', { conditioning_1: ['6', 0], conditioning_2: ['6', 1] }) }),
    ],
    [
      'in a circle of strings',
      graph({
        '6': text(['50', 0]),
        '50': node('StringConcatenate', { string_a: ['51', 0], string_b: ['50', 0] }),
        '51': node('Reroute', { any: ['50', 0] }),
      }),
    ],
    [
      'in a circle of images',
      { '9': node('SaveImage', { images: ['8', 0] }), '8': node('ImageInvert', { image: ['8', 0] }) },
    ],
    ['with an output that is not there', {}],
    ['with odd nodes', { '9': { class_type: 'SaveImage', inputs: { images: ['8', 0] } }, '8': null, '7': 5 }],
    [
      'with odd links',
      { '9': node('SaveImage', { images: [['8'], 'x'] }), '8': node('A', { positive: [null, 0] }) },
    ],
    ['without a graph', null],
    ['with a list for a graph', [1, 2]],
  ])('%s', (_when, nodes) => {
    expect(promptOf(nodes, '9')).toBeNull();
  });
});

it('survives chains of thousands of nodes', () => {
  const length = 2500;
  const long: Record<string, ReturnType<typeof node>> = { '9': node('SaveImage', { images: ['i0', 0] }) };
  for (let i = 0; i < length; i++) {
    long[`i${i}`] = node('ImageInvert', { image: [`i${i + 1}`, 0] });
    long[`c${i}`] = node('ConditioningSetMask', { conditioning: [`c${i + 1}`, 0] });
    long[`s${i}`] = node('StringTrim', { string: [`s${i + 1}`, 0] });
  }
  long[`i${length}`] = node('KSampler', { positive: ['c0', 0] });
  long[`c${length}`] = text('a fox');
  expect(promptOf(long, '9')).toBe('a fox');
  long[`c${length}`] = text(['s0', 0]);
  long[`s${length}`] = node('PrimitiveString', { value: 'an owl' });
  expect(promptOf(long, '9')).toBeNull();
});

it('survives ways that double with every node', () => {
  const doubling: Record<string, ReturnType<typeof node>> = {
    s60: node('PrimitiveString', { value: 'a fox' }),
  };
  for (let i = 0; i < 60; i++) {
    const links = [`s${i + 1}`, 0];
    doubling[`s${i}`] = node('StringConcatenate', { string_a: links, string_b: links });
    doubling[`c${i}`] = node('ConditioningCombine', {
      conditioning_1: [`c${i + 1}`, 0],
      conditioning_2: [`c${i + 1}`, 0],
    });
  }
  const doubled = (end: unknown) =>
    findInWorkflow({
      graph: graph({ ...doubling, c60: text(end), '6': node('Reroute', { '': ['c0', 0] }) }),
      node: '9',
    });
  expect(doubled('a fox').prompt).toBe('a fox');
  expect(doubled(['s0', 0])).toMatchObject({ prompt: null, reason: 'the text grows without end' });
});

interface Case {
  name: string;
  graph: object;
  node: string;
  expected: string;
}

const shared: Case[] = JSON.parse(readFileSync(new URL('../fixtures/prompts.json', import.meta.url), 'utf8'));

it.each(shared)('is found: $name', ({ graph: workflow, node: output, expected }) => {
  expect(promptOf(workflow, output) ?? '').toBe(expected);
});
