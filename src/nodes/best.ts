import { along, by, howMany, images, latents, masks, onFailure, prompt, report, scorer } from './inputs.ts';
import type { NodeDefinition } from './types.ts';

const [theirMasks, theirLatents, theirPrompts, theirIndexes] = along('', 'the chosen images, best first');

export const best: NodeDefinition = {
  id: 'AssayBest',
  displayName: 'Assay Best',
  description:
    'Picks the best images of a batch or list, and hands on what belongs to them. An image without a score is never best.',
  searchAliases: ['best of n', 'pick best image', 'rank images'],
  takesLists: true,
  isEnd: false,
  inputs: [images, by, howMany(4096), onFailure, masks, latents, prompt, scorer],
  hidden: { unique_id: 'UNIQUE_ID', dynprompt: 'DYNPROMPT' },
  outputs: [
    { name: 'images', type: 'IMAGE', list: true, tooltip: 'The chosen images, best first.' },
    theirMasks!,
    theirLatents!,
    theirIndexes!,
    {
      name: 'selection',
      type: 'MASK',
      list: true,
      tooltip: 'In the layout of the input images: white for chosen images, black for the others.',
    },
    { name: 'scores', type: 'FLOAT', list: true, tooltip: 'What they were chosen by, in the same order.' },
    report,
    theirPrompts!,
  ],
};
