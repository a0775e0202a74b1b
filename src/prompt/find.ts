/** The prompt in a workflow or an image file; never throws. */
import type { PromptFound, PromptPlace } from '../types/prompt.ts';
import { findInTexts } from './file.ts';
import type { ReadTexts } from './resolve.ts';
import { findInWorkflow } from './workflow/find.ts';

export const findPrompt = (place: PromptPlace, readTexts: ReadTexts): PromptFound =>
  'image' in place ? findInTexts(readTexts(place.image)) : findInWorkflow(place.workflow);
