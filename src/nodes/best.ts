import { ASPECTS } from '../types.ts';
import { images, onFailure, prompt, report, scorer } from './inputs.ts';
import type { NodeDefinition } from './types.ts';

export const best: NodeDefinition = {
  id: 'AssayBest',
  displayName: 'Assay Best',
  description: 'Picks the best images of a batch or list. An image without a score is never best.',
  searchAliases: ['best of n', 'pick best image', 'rank images'],
  takesLists: true,
  isEnd: false,
  inputs: [
    images,
    {
      name: 'by',
      type: 'COMBO',
      choices: ['reward', ...ASPECTS],
      default: 'reward',
      tooltip: 'What makes an image better than another; alignment needs the prompt.',
    },
    { name: 'k', type: 'INT', default: 1, min: 1, max: 4096, step: 1, tooltip: 'How many to keep.' },
    onFailure,
    {
      name: 'masks',
      type: 'MASK',
      optional: true,
      tooltip: 'One per image, or one for all: those of the chosen images go along.',
    },
    {
      name: 'latents',
      type: 'LATENT',
      optional: true,
      tooltip: 'One per image, or one for all: those of the chosen images go along.',
    },
    prompt,
    scorer,
  ],
  hidden: { unique_id: 'UNIQUE_ID' },
  outputs: [
    { name: 'images', type: 'IMAGE', list: true, tooltip: 'The chosen images, best first.' },
    { name: 'masks', type: 'MASK', list: true, tooltip: 'Their masks, in the same order.' },
    { name: 'latents', type: 'LATENT', list: true, tooltip: 'Their latents, in the same order.' },
    {
      name: 'indexes',
      type: 'INT',
      list: true,
      tooltip: 'Their places in the input, counted from 0, in the same order.',
    },
    {
      name: 'selection',
      type: 'MASK',
      list: true,
      tooltip: 'In the layout of the input images: white for chosen images, black for the others.',
    },
    { name: 'scores', type: 'FLOAT', list: true, tooltip: 'What they were chosen by, in the same order.' },
    report,
  ],
};
