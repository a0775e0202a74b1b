import { ASPECTS } from '../types/aspect.ts';
import { along, images, latents, masks, onFailure, prompt, report, scorer } from './inputs.ts';
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
    { name: 'aspect', type: 'COMBO', choices: ASPECTS, default: 'quality', tooltip: 'What is judged.' },
    {
      name: 'measure',
      type: 'COMBO',
      choices: ['percentile', 'MOS', 'reward'],
      default: 'percentile',
      tooltip:
        'What the threshold means. percentile: share of reference images that are worse, 0 to 1. MOS: predicted mean opinion score, usually 1 to 5. reward: all aspects in one number, 0 to 1; the aspect does not count then.',
    },
    {
      name: 'threshold',
      type: 'FLOAT',
      default: 0.3,
      min: 0,
      max: 100,
      step: 0.01,
      tooltip:
        'Images below it are rejected: 0 to 1 for percentile and reward, in the range of the scorer for MOS.',
    },
    {
      name: 'unsure_within_interval',
      type: 'BOOLEAN',
      default: false,
      tooltip: 'With MOS: be unsure of images whose prediction interval contains the threshold.',
    },
    {
      name: 'unsure',
      type: 'COMBO',
      choices: ['accept', 'reject', 'separate'],
      default: 'accept',
      tooltip: 'Where images go of which it is unsure; separate sends them to the output of that name.',
    },
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
