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
    'The text the images were generated from; alignment needs it. A list gives each image its own. Empty: none.',
};

export const scorer: NodeInput = {
  name: 'scorer',
  type: 'STRING',
  optional: true,
  default: '',
  tooltip: 'Scorer id, or id@version, as `assay models list` shows it. Empty: the default of the daemon.',
};

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
