/** The prompt in a workflow or an image file; never throws. */
import type { PromptFound, PromptPlace } from '../types.ts';
import { findInWorkflow, noPrompt } from './workflow/find.ts';

export function findPrompt(place: PromptPlace): PromptFound {
  return 'image' in place ? noPrompt('the file carries no prompt') : findInWorkflow(place.workflow);
}
