/** Inputs and outputs that several nodes share. */
import type { NodeInput, NodeOutput } from './types.ts';

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

export const scorer: NodeInput = {
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

export const onFailure: NodeInput = {
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
