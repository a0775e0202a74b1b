import type { NodeDefinition } from './types.ts';

export const prompt: NodeDefinition = {
  id: 'AssayPrompt',
  displayName: 'Assay Prompt from Workflow',
  description:
    'Finds the positive prompt that the image is generated from, by following the links of the workflow. It does not wait for the image. The other nodes do the same by themselves when their prompt is empty.',
  searchAliases: ['find prompt', 'get prompt'],
  takesLists: true,
  isEnd: false,
  inputs: [
    { name: 'image', type: 'IMAGE', lazy: true, rawLink: true, tooltip: 'The image whose prompt is wanted.' },
    {
      name: 'override',
      type: 'STRING',
      optional: true,
      default: '',
      multiline: true,
      tooltip: 'Used instead of what the workflow says, unless it is empty.',
    },
  ],
  hidden: { unique_id: 'UNIQUE_ID', dynprompt: 'DYNPROMPT' },
  outputs: [
    { name: 'prompt', type: 'STRING', list: true, tooltip: 'The prompt; empty when none was found.' },
  ],
};
