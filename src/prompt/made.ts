/** The prompt in what a host tells of how an image was made; never throws. */
import type { MadeFrom, PromptFound } from '../types/prompt.ts';
import { findInTexts } from './file.ts';
import { findInWorkflow } from './workflow/find.ts';

export const findInMade = (made: MadeFrom): PromptFound =>
  'infotext' in made
    ? findInTexts([{ place: 'infotext of the answer', key: 'parameters', text: made.infotext }])
    : findInWorkflow(made);
