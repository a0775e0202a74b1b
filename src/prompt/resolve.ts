/** The prompt that an image is judged by: the one given, else that of its workflow, else that of its file. */
import type { ImageInput, PromptFound, ScoreItem, ScoreResult } from '../types.ts';
import { type FileText, findInTexts, NO_PROMPT } from './file.ts';
import { MOST_TEXT, normalise } from './words/normalise.ts';
import { findInWorkflow } from './workflow/find.ts';

export type Resolved = Pick<ScoreResult, 'prompt' | 'promptSource'>;
type Asked = Pick<ScoreItem, 'source' | 'prompt' | 'found' | 'workflow' | 'promptFromFile'>;
/** All texts in the bytes of a file. */
export type ReadTexts = (bytes: Uint8Array) => readonly FileText[];

/** Text without words is no prompt, and then none is looked for: whoever gave it meant none. */
export function resolvePrompt(asked: Asked, image: ImageInput, readTexts: ReadTexts): Resolved {
  if (asked.prompt === null) return { prompt: null, promptSource: null };
  if (asked.prompt !== undefined) return given(asked.prompt);
  const told = asked.found ?? (asked.workflow && findInWorkflow(asked.workflow));
  if (told?.prompt) return sourced(told);
  const carried = image.kind === 'encoded' && (asked.promptFromFile ?? true);
  const found = carried ? findInTexts(readTexts(image.bytes), asked.source) : undefined;
  const best = found?.prompt ? found : (told ?? found);
  return best ? sourced(best) : { prompt: null, promptSource: null };
}

function given(text: string): Resolved {
  const read = text.slice(0, MOST_TEXT);
  const { words, reason, isOpen } = normalise(read);
  const original = words === read ? null : read;
  const cut =
    text.length > MOST_TEXT ? `only the first ${MOST_TEXT} of its ${text.length} characters are read` : null;
  return {
    prompt: words,
    promptSource: { from: 'request', original, certain: cut === null && !isOpen, reason: reason ?? cut },
  };
}

const sourced = ({ prompt, negative: _, ...promptSource }: PromptFound): Resolved => ({
  prompt,
  promptSource,
});

/** What is to be said about a prompt; nothing about files that carry none. */
export function notesOn({ promptSource }: Resolved): string[] {
  const reason = promptSource?.reason ?? null;
  return reason === null || reason === NO_PROMPT ? [] : [`prompt: ${reason}`];
}
