import { along, by, howMany, images, latents, masks, onFailure, prompt, report, scorer } from './inputs.ts';
import type { NodeDefinition } from './types.ts';

const [theirMasks, theirLatents, theirPrompts] = along('', 'the images that are handed on');

export const shelf: NodeDefinition = {
  id: 'AssayShelf',
  displayName: 'Assay Shelf',
  description:
    'Keeps the best images of all runs under a name, also when ComfyUI starts anew, and hands on the best so far: best of N by running the workflow N times. An image without a score is never kept.',
  searchAliases: ['best of n', 'keep best image', 'best so far', 'across runs'],
  takesLists: true,
  isEnd: true,
  inputs: [
    images,
    by,
    howMany(64),
    {
      name: 'after',
      type: 'INT',
      default: 0,
      min: 0,
      max: 100_000,
      step: 1,
      tooltip:
        '0: the best so far go on in every run. N: nothing goes on until N different images were judged; then the best go on, once, and the next run begins with an empty shelf.',
    },
    {
      name: 'reset',
      type: 'BOOLEAN',
      default: false,
      tooltip: 'On: the shelf is emptied before each run. Switch it on for one run to begin anew.',
    },
    onFailure,
    masks,
    latents,
    prompt,
    scorer,
    {
      name: 'name',
      type: 'STRING',
      optional: true,
      default: 'shelf',
      tooltip: 'Which shelf. Nodes with the same name share it, those of other workflows among them.',
    },
  ],
  hidden: { unique_id: 'UNIQUE_ID', dynprompt: 'DYNPROMPT' },
  outputs: [
    {
      name: 'images',
      type: 'IMAGE',
      list: true,
      tooltip: 'The best so far, best first, each in its own size.',
    },
    theirMasks!,
    theirLatents!,
    theirPrompts!,
    { name: 'scores', type: 'FLOAT', list: true, tooltip: 'What they were kept for, in the same order.' },
    {
      name: 'seeds',
      type: 'INT',
      list: true,
      tooltip: 'The seeds that made them, where the workflow has one seed for an image.',
    },
    {
      name: 'added',
      type: 'IMAGE',
      list: true,
      tooltip:
        'Images of this run that came onto the shelf. Without any, what is connected here does not run.',
    },
    report,
  ],
};
