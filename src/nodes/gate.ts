import {
  along,
  aspect,
  images,
  latents,
  masks,
  measure,
  onFailure,
  prompt,
  report,
  scorer,
  threshold,
  unsure,
  unsureWithinInterval,
} from './inputs.ts';
import type { NodeDefinition, NodeOutput } from './types.ts';

const branch = (name: string, which: string): NodeOutput => ({
  name,
  type: 'IMAGE',
  list: true,
  tooltip: `${which}. Without any, what is connected here does not run.`,
});

export const gate: NodeDefinition = {
  id: 'AssayGate',
  displayName: 'Assay Gate',
  description:
    'Lets good images through and holds bad ones back, each image by itself, with its mask, latent and prompt. Blank, noisy and damaged images are always rejected.',
  searchAliases: ['filter images', 'quality gate', 'reject bad images'],
  takesLists: true,
  isEnd: false,
  inputs: [
    images,
    aspect,
    measure,
    threshold,
    unsureWithinInterval,
    unsure,
    onFailure,
    {
      name: 'compact',
      type: 'BOOLEAN',
      default: false,
      tooltip:
        'Off: a batch goes on as a smaller batch, a list as a shorter list; where another list meets the images further on, each image keeps its place and the places of the others do not run. On: always a list of single images without gaps.',
    },
    prompt,
    scorer,
    masks,
    latents,
  ],
  hidden: { unique_id: 'UNIQUE_ID', dynprompt: 'DYNPROMPT' },
  outputs: [
    branch('accepted', 'Images that meet the threshold'),
    branch('rejected', 'Images below the threshold, and those that tripped a guard'),
    branch('unsure', 'Images of which it is unsure, when these are kept apart'),
    report,
    ...['accepted', 'rejected', 'unsure'].flatMap((name) => along(`${name}_`, `the ${name} images`)),
  ],
};
