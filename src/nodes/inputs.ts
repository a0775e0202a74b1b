/** Inputs and outputs that several nodes share, and the panel of a host that has no nodes. */
import { ASPECTS } from '../types/aspect.ts';
import type { BooleanInput, ChoiceInput, NodeInput, NodeOutput, NumberInput, TextInput } from './types.ts';

export const images: NodeInput = {
  name: 'images',
  type: 'IMAGE',
  tooltip: 'A batch of images, or a list of images or batches.',
};

export const prompt: NodeInput = {
  name: 'prompt',
  type: 'STRING',
  optional: true,
  default: '',
  multiline: true,
  tooltip:
    'The text the images were generated from; alignment needs it. A list gives each image its own. Empty: it is looked for in the workflow, and the node says where it was found.',
};

export const scorer: TextInput = {
  name: 'scorer',
  type: 'STRING',
  optional: true,
  default: '',
  tooltip: 'Scorer id, or id@version, as `assay models list` shows it. Empty: the default of the daemon.',
};

const companion = (name: string, type: 'MASK' | 'LATENT'): NodeInput => ({
  name,
  type,
  optional: true,
  tooltip: 'One per image, or one for all: each goes where its image goes.',
});

export const masks = companion('masks', 'MASK');
export const latents = companion('latents', 'LATENT');

/** What goes where an image goes. */
export const along = (prefix: string, whose: string): NodeOutput[] => [
  { name: `${prefix}masks`, type: 'MASK', list: true, tooltip: `The masks of ${whose}.` },
  { name: `${prefix}latents`, type: 'LATENT', list: true, tooltip: `The latents of ${whose}.` },
  {
    name: `${prefix}prompts`,
    type: 'STRING',
    list: true,
    tooltip: `The prompts of ${whose}, as given or found; empty where there is none.`,
  },
  {
    name: `${prefix}indexes`,
    type: 'INT',
    list: true,
    tooltip: `The places of ${whose} in the input, counted from 0.`,
  },
];

export const aspect: ChoiceInput = {
  name: 'aspect',
  type: 'COMBO',
  choices: ASPECTS,
  default: 'quality',
  tooltip: 'What is judged.',
};

export const measure: ChoiceInput = {
  name: 'measure',
  type: 'COMBO',
  choices: ['percentile', 'MOS', 'reward'],
  default: 'percentile',
  tooltip:
    'What the threshold means. percentile: share of reference images that are worse, 0 to 1. MOS: predicted mean opinion score, usually 1 to 5. reward: all aspects in one number, 0 to 1; the aspect does not count then.',
};

export const threshold: NumberInput = {
  name: 'threshold',
  type: 'FLOAT',
  default: 0.3,
  min: 0,
  max: 100,
  step: 0.01,
  tooltip:
    'Images below it are rejected: 0 to 1 for percentile and reward, in the range of the scorer for MOS.',
};

export const unsureWithinInterval: BooleanInput = {
  name: 'unsure_within_interval',
  type: 'BOOLEAN',
  default: false,
  tooltip: 'With MOS: be unsure of images whose prediction interval contains the threshold.',
};

export const unsure: ChoiceInput = {
  name: 'unsure',
  type: 'COMBO',
  choices: ['accept', 'reject', 'separate'],
  default: 'accept',
  tooltip: 'Where images go of which it is unsure; separate sends them to the output of that name.',
};

export const by: ChoiceInput = {
  name: 'by',
  type: 'COMBO',
  choices: ['reward', ...ASPECTS],
  default: 'reward',
  tooltip: 'What makes an image better than another; alignment needs the prompt.',
};

export const howMany = (max: number): NumberInput => ({
  ...{ name: 'k', type: 'INT', default: 1, min: 1, max, step: 1 },
  tooltip: 'How many to keep.',
});

export const onFailure: ChoiceInput = {
  name: 'on_failure',
  type: 'COMBO',
  choices: ['pass', 'block', 'stop'],
  default: 'pass',
  tooltip:
    'What to do with images that cannot be scored, e.g. because the daemon is not running: pass lets them go on and says so, block holds them back, stop ends the run with an error.',
};

export const report: NodeOutput = {
  name: 'report',
  type: 'STRING',
  list: false,
  tooltip: 'What was found, in words.',
};
