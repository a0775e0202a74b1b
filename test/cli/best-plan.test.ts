/** What `assay best` makes of its flags and a workflow: seeds, values, and what it refuses. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { comfyui } from '../../src/bridge/hosts/comfyui/kind.ts';
import { type PlanFlags, planOf } from '../../src/cli/best/plan.ts';
import { promptWords } from '../../src/cli/best/prompt.ts';
import { bestCommand } from '../../src/cli/commands/best.ts';
import { STRATEGIES } from '../../src/loops/strategies/table.ts';
import { flatImages } from '../support/comfyui/graphs.ts';
import { tempFolder } from '../support/files.ts';
import { givenBy, prompted, seeded } from '../support/studying.ts';

async function plan(graph: object, flags: PlanFlags = {}) {
  const text = JSON.stringify(graph);
  const template = await comfyui.template!(text, 'workflow.json');
  return {
    template,
    ...planOf(givenBy(flags, template, 'workflow.json', text)),
  };
}

const KSAMPLER = {
  class_type: 'KSampler',
  inputs: { seed: 1, steps: 20, cfg: 7, sampler_name: 'euler', model: ['4', 0] },
};

describe('seeds', () => {
  it('are all that hold a number, each once, links followed', async () => {
    const primitive = { class_type: 'PrimitiveInt', inputs: { value: 5 } };
    const refiner = { class_type: 'KSamplerAdvanced', inputs: { noise_seed: ['7', 0], steps: 10 } };
    const random = {
      class_type: 'RandomNoise',
      inputs: { noise_seed: 12_345_678_901_234_567_890n.toString() },
    };
    const { seeds, steps } = await plan({
      '3': KSAMPLER,
      '5': refiner,
      '6': refiner,
      '7': primitive,
      '8': random,
    });
    expect([seeds, steps]).toEqual([
      ['3.seed', '7.value'],
      ['3.steps', '5.steps', '6.steps'],
    ]);
  });

  it('larger than a double holds stay as they are where they are not varied', async () => {
    const text = `{"3": {"class_type": "KSampler", "inputs": {"seed": 1}}, "5": {"class_type": "X", "inputs": {"seed": 12345678901234567890}}}`;
    const template = await comfyui.template!(text, 'w.json');
    const made = template.with({ '3.seed': 9 }) as Record<string, { inputs: object }>;
    expect([made['3']!.inputs, made['5']!.inputs]).toEqual([
      { seed: 9 },
      { seed: 12_345_678_901_234_567_890n },
    ]);
  });

  it('that are named are varied alone', async () => {
    const graph = { '3': KSAMPLER, '5': { ...KSAMPLER } };
    expect((await plan(graph)).seeds).toEqual(['3.seed', '5.seed']);
    expect((await plan(graph, { vary: ['5.seed'] })).seeds).toEqual(['5.seed']);
  });

  it('are not needed where other values differ; then there are no more images than those', async () => {
    const { spec, seeds } = await plan(flatImages(), { vary: ['1.color=1,2,3', '1.width=64,128'] });
    expect([seeds, spec.images]).toEqual([[], 6]);
  });
});

describe('values', () => {
  it('are lists, ranges, or lines of a file, of the kind that the input has', async () => {
    const file = join(tempFolder(), 'prompts.txt');
    writeFileSync(file, '\ufeffa fox, red\r\n\na cat\n');
    const text = { class_type: 'CLIPTextEncode', inputs: { text: 'a dog', on: true } };
    const vary = [
      '3.cfg=4,6.5',
      '3.steps=10..30',
      '3.sampler_name=euler,heun',
      `6.text=@${file}`,
      '6.on=true,false',
    ];
    const { spec } = await plan({ '3': KSAMPLER, '6': text }, { vary });
    expect(spec.axes).toEqual({
      '3.cfg': { values: [4, 6.5] },
      '3.steps': { low: 10, high: 30, whole: true },
      '3.sampler_name': { values: ['euler', 'heun'] },
      '6.text': { values: ['a fox, red', 'a cat'] },
      '6.on': { values: [true, false] },
    });
  });

  it('of a price are a gain, or a share of the spread', async () => {
    expect((await plan(seeded(), { price: '10%' })).spec.price).toEqual({ amount: 0.1, of: 'spread' });
    expect((await plan(seeded(), { price: '0.02' })).spec.price).toEqual({ amount: 0.02, of: 'score' });
  });
});

it.each<[string, object, PlanFlags, string, RegExp]>([
  ['no seed', flatImages(), {}, 'NO_SEED', /workflow\.json has no seed/],
  ['a workflow of the editor', { nodes: [], links: [] }, {}, 'WORKFLOW_UI_FORMAT', /editor/],
  [
    'an input that is not there',
    seeded(),
    { vary: ['3.sead=1'] },
    'INPUT_UNKNOWN',
    /did you mean 3\.seed.*node 3 .*has image, seed, strength/,
  ],
  ['a node that is not there', seeded(), { vary: ['77.seed'] }, 'INPUT_UNKNOWN', /its nodes are 1, 2, 3, 9/],
  ['an input without a value', seeded(), { vary: ['3.image=1'] }, 'INPUT_LINKED', /from node 2/],
  ['text for a number', seeded(), { vary: ['3.strength=much'] }, 'USAGE', /"much" is no number/],
  ['a range that is none', seeded(), { vary: ['3.strength=2..1'] }, 'USAGE', /2 is not below 1/],
  ['a value for no seed', seeded(), { vary: ['3.strength'] }, 'USAGE', /no seed/],
  ['no input at all', seeded(), { vary: ['=3'] }, 'USAGE', /NODE\.INPUT=VALUES/],
  [
    'a file that is not there',
    seeded(),
    { vary: ['9.filename_prefix=@/no/such'] },
    'FILE_NOT_FOUND',
    /no such/,
  ],
  ['a strategy that there is not', seeded(), { strategy: 'magic' }, 'STUDY_INVALID', /--strategy: /],
  [
    'halving without a budget',
    seeded(),
    { strategy: 'halving', images: 1 },
    'STUDY_INVALID',
    /--images: halving/,
  ],
  ['a measure that there is not', seeded(), { by: 'beauty' }, 'USAGE', /--by beauty/],
  ['a price of nothing', seeded(), { price: '0' }, 'USAGE', /--price 0/],
])('refuses %s', async (_, graph, flags, code, message) => {
  await expect(plan(graph, flags)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

it('names every strategy in its help', () => {
  const help = bestCommand(() => {}).helpInformation();
  for (const name of Object.keys(STRATEGIES)) expect(help).toContain(name);
});

describe('the prompt', () => {
  it.each<[string, object, PlanFlags, string]>([
    ['of the workflow', prompted('a fox'), {}, 'prompt: "a fox" (workflow node 4 (CLIPTextEncode))'],
    ['that is given', prompted('a fox'), { prompt: 'a cat' }, 'prompt: "a cat" (--prompt)'],
    ['that is varied', prompted('a fox'), { vary: ['4.text=a fox,a cat'] }, 'prompt: varied by 4.text'],
    ['that is none', seeded(), { vary: ['2.steps=1,2'] }, 'no prompt found: judged by quality alone'],
  ])('%s is told', async (_, graph, flags, words) => {
    const { template, prompt, spec } = await plan(graph, flags);
    expect(promptWords({ prompt, spec }, template)).toContain(words);
  });
});
