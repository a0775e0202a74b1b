/** Graphs that nobody built: their search ends, soon, and says why. */
import { describe, expect, it } from 'vitest';
import { findInTexts } from '../../src/prompt/file.ts';
import { findInWorkflow } from '../../src/prompt/workflow/find.ts';
import { cpuMsOf } from '../support/cpu.ts';

type Inputs = Record<string, unknown>;
const node = (class_type: string, inputs: Inputs = {}) => ({ class_type, inputs });
const many = (count: number, make: (i: number) => Record<string, unknown>) =>
  Object.assign({}, ...Array.from({ length: count }, (_, i) => make(i)));
/** The sampler's text is output 0 of `s0`, and its picture that of `i0`. */
const START = {
  '9': node('SaveImage', { images: ['i0', 0] }),
  ks: node('KSampler', { positive: ['c0', 0], negative: ['c0', 1] }),
};

const LARGE = 100_000;
const next = (id: string, i: number, step = 1) => [`${id}${i + step}`, 0];
const GRAPHS: Record<string, () => Record<string, unknown>> = {
  'a chain of pictures': () =>
    many(LARGE, (i) => ({ [`i${i}`]: node('ImageInvert', { image: next('i', i) }) })),
  'a chain of pairs': () => ({
    i0: node('VAEDecode', { samples: ['ks', 0] }),
    ...many(LARGE, (i) => ({
      [`c${i}`]: node('Pair', { positive: [`c${i + 1}`, 0], negative: [`c${i + 1}`, 1] }),
    })),
  }),
  'blends of blends': () =>
    many(3000, (i) => ({ [`i${i}`]: node('ImageBlend', { image1: next('i', i), image2: next('i', i, 2) }) })),
  'combinations of combinations': () => ({
    i0: node('VAEDecode', { samples: ['ks', 0] }),
    ...many(3000, (i) => ({
      [`c${i}`]: node('ConditioningCombine', {
        conditioning_1: next('c', i),
        conditioning_2: next('c', i, 2),
      }),
    })),
  }),
  'a node with very many inputs': () => ({
    i0: node('VAEDecode', { samples: ['ks', 0] }),
    c0: node(
      'Foo',
      many(LARGE, (i) => ({ [`cond${i}`]: next('x', i) })),
    ),
  }),
  'bundles of bundles': () => ({
    i0: node('SomeSampler', { pipe: ['p0', 0] }),
    ...many(2000, (i) => ({
      [`p${i}`]: node(
        'Pipe',
        many(20, (j) => ({ [`pipe${j}`]: next('p', i, 1 + (j % 5)) })),
      ),
    })),
  }),
  'a guider that guides itself': () => ({
    i0: node('SamplerCustomAdvanced', { guider: ['g', 0] }),
    g: node('CFGGuider', { guider: ['g', 0], positive: ['g', 0] }),
  }),
  'a switch that switches itself': () => ({
    i0: node('SomeSampler', { pipe: ['w', 0] }),
    w: node('Context Switch (rgthree)', { ctx_01: ['w', 0] }),
  }),
  'a number that leads to itself': () => ({
    i0: node('ImpactSwitch', { select: ['n', 0], input1: ['a', 0], input2: ['b', 0] }),
    n: node('PrimitiveInt', { value: ['n', 0] }),
  }),
  'a circle of all kinds': () => ({
    i0: node('Foo', {
      image: ['i0', 0],
      positive: ['i0', 0],
      pipe: ['i0', 0],
      text: ['i0', 0],
      guider: ['i0', 0],
    }),
  }),
  'regular expressions that do not end': () => ({
    i0: node('VAEDecode', { samples: ['ks', 0] }),
    c0: node(
      'Foo',
      many(30, (i) => ({ [`cond${i}`]: [`e${i}`, 0] })),
    ),
    ...many(30, (i) => ({
      [`e${i}`]: node('CLIPTextEncode', { text: [`r${i}`, 0] }),
      [`r${i}`]: node('RegexReplace', {
        string: `${'a'.repeat(50)}!${i}`,
        regex_pattern: '(a+)+$',
        replace: '',
      }),
    })),
  }),
  'texts in texts': () => ({
    i0: node('VAEDecode', { samples: ['ks', 0] }),
    c0: node('CLIPTextEncode', { text: ['s0', 0] }),
    ...many(20_000, (i) => ({
      [`s${i}`]: node('StringConcatenate', { string_a: next('s', i), string_b: 'x' }),
    })),
  }),
};

/** Some 50 ms where nothing else runs; what is not bounded takes minutes, or all the memory. */
const SOON = 3000;

describe('a graph', () => {
  it.each(Object.entries(GRAPHS))('with %s', (_what, make) => {
    const graph = { ...START, ...make() };
    let found: ReturnType<typeof findInWorkflow> | undefined;
    const spent = cpuMsOf(() => {
      found = findInWorkflow({ graph, node: '9' });
    });
    expect(found).toMatchObject({ prompt: null, reason: expect.stringMatching(/\w/) });
    expect(spent).toBeLessThan(SOON);
  });

  it.each([
    null,
    5,
    'x',
    [],
    [1, 2],
    {},
    { '9': null },
    { '9': { inputs: 5 } },
    { '9': { inputs: { images: ['9', 'x'] } } },
  ])('that is none: %j', (graph) => {
    expect(findInWorkflow({ graph, node: '9' }).prompt).toBeNull();
  });
});

describe('a text in a file', () => {
  const graph = JSON.stringify({
    ...START,
    i0: node('VAEDecode', { samples: ['ks', 0] }),
    c0: node('CLIPTextEncode', { text: 'a red fox' }),
  });
  it.each([
    ['brackets', '['.repeat(2_000_000)],
    ['empty lists', `[${'[],'.repeat(600_000)}[]]`],
    ['quotes', `{${'"'.repeat(2_000_000)}`],
    ['very many keys', `{"a":{"class_type":"x","inputs":{}},${'"b":0,'.repeat(300_000)}"c":0}`],
    [
      'very many savers',
      JSON.stringify({
        ...JSON.parse(graph),
        ...many(5000, (i) => ({ [`s${i}`]: node('SaveImage', { images: [`d${i}`, 0] }) })),
      }),
    ],
    ['parameters without end', `a fox\nSteps: 1, ${'a: 1, '.repeat(300_000)}`],
    ['line breaks', '\n'.repeat(2_000_000)],
  ])('of %s', (_what, text) => {
    const spent = cpuMsOf(() => {
      for (const key of ['prompt', 'workflow', 'parameters', 'Comment'])
        findInTexts([{ place: 'x', key, text }]);
    });
    expect(spent).toBeLessThan(2 * SOON);
  });

  it('of two million characters that is a workflow is read', () => {
    const big = JSON.stringify({
      ...JSON.parse(graph),
      ...many(4000, (i) => ({ [`n${i}`]: node('CLIPTextEncode', { text: `${'word '.repeat(90)}${i}` }) })),
    });
    expect(big.length).toBeGreaterThan(2_000_000);
    expect(findInTexts([{ place: 'x', key: 'prompt', text: big }])).toMatchObject({ prompt: 'a red fox' });
  });
});
