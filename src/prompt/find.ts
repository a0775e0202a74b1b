/** The prompt in a workflow or an image file. */
import type { PromptFound, PromptPlace } from '../types.ts';

const none = (reason: string): PromptFound => ({
  ...{ prompt: null, negative: null, from: null, original: null, certain: true },
  reason,
});

export function findPrompt(place: PromptPlace): PromptFound {
  return none('image' in place ? 'the file carries no prompt' : 'the finder is not there yet');
}
