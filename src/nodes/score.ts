import { images, prompt, report, scorer } from './inputs.ts';
import type { NodeDefinition, NodeOutput } from './types.ts';

const figure = (name: string, tooltip: string): NodeOutput => ({ name, type: 'FLOAT', list: true, tooltip });

const MISSING = 'An image without this number blocks what is connected here.';

export const score: NodeDefinition = {
  id: 'AssayScore',
  displayName: 'Assay Score',
  description: 'Predicts what people would say of each image, and passes the images on unchanged.',
  searchAliases: ['aesthetic score', 'image quality', 'rate image'],
  takesLists: true,
  isEnd: true,
  inputs: [images, prompt, scorer],
  hidden: { unique_id: 'UNIQUE_ID', dynprompt: 'DYNPROMPT' },
  outputs: [
    { name: 'images', type: 'IMAGE', list: true, tooltip: 'The images as they came.' },
    figure('quality', `Predicted mean opinion of the quality, per image. ${MISSING}`),
    figure('alignment', `Predicted mean opinion of how well the image fits the prompt. ${MISSING}`),
    figure('authenticity', `Predicted mean opinion of how real the image looks. ${MISSING}`),
    figure('reward', `All aspects in one number, 0 to 1. ${MISSING}`),
    report,
  ],
};
