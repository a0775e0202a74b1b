/** The prompt that an image is judged by: the one given, else one found, always as plain words. */
import type { ImageInput, PromptSource, ScoreItem, ScoreResult } from '../types.ts';

const given = (original: string | null): PromptSource => ({
  from: 'request',
  original,
  certain: true,
  reason: null,
});

/** Blank text is no prompt. */
export function resolvePrompt(
  { prompt }: Pick<ScoreItem, 'prompt' | 'workflow' | 'promptFromFile'>,
  _image: ImageInput,
): Pick<ScoreResult, 'prompt' | 'promptSource'> {
  if (prompt === undefined || prompt === null) return { prompt: null, promptSource: null };
  const words = prompt.trim();
  if (words === '')
    return { prompt: null, promptSource: { ...given(prompt), reason: 'the prompt has no words' } };
  return { prompt: words, promptSource: given(words === prompt ? null : prompt) };
}
