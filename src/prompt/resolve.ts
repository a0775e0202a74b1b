/** The prompt that an image is judged by: the one given, else that of its workflow, else that of its file. */
import type { ImageInput } from '../types/image.ts';
import type { PromptFound } from '../types/prompt.ts';
import type { ScoreItem } from '../types/request.ts';
import type { ScoreResult } from '../types/result.ts';
import { type FileText, findInTexts, NO_PROMPT } from './file.ts';
import { MOST_TEXT, normalise } from './words/normalise.ts';
import { findInWorkflow } from './workflow/find.ts';

export type Resolved = Pick<ScoreResult, 'prompt' | 'promptSource'>;
type Asked = Pick<ScoreItem, 'source' | 'prompt' | 'found' | 'workflow' | 'promptFromFile'>;
/** All texts in the bytes of a file. */
export type ReadTexts = (bytes: Uint8Array) => readonly FileText[];

/**
 * Characters of a prompt that are judged, and that a result repeats: models read some hundred words, people write some
 * thousand characters, and a text that hundreds of images share stands in the result and the history of each.
 */
export const MOST_CHARACTERS = 8000;
const CUT = `only its first ${MOST_CHARACTERS} characters are read`;
/** Of names and reasons, which may quote a workflow. */
const MOST_ASIDE = 500;

/** Text without words is no prompt, and then none is looked for: whoever gave it meant none. */
export const resolvePrompt = (asked: Asked, image: ImageInput, readTexts: ReadTexts): Resolved =>
  bounded(resolved(asked, image, readTexts));

function resolved(asked: Asked, image: ImageInput, readTexts: ReadTexts): Resolved {
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
  const original = words === text ? null : text;
  // Of longer words the cut that follows is told.
  const isCut = text.length > MOST_TEXT && (words ?? '').length <= MOST_CHARACTERS;
  const cut = isCut ? `only its first ${MOST_TEXT} characters are read` : null;
  const certain = text.length <= MOST_TEXT && !isOpen;
  return { prompt: words, promptSource: { from: 'request', original, certain, reason: reason ?? cut } };
}

const sourced = ({ prompt, negative: _, ...promptSource }: PromptFound): Resolved => ({
  prompt,
  promptSource,
});

/** Says so where words are cut; of the rest, which is there for people, an ellipsis does. */
function bounded({ prompt, promptSource: source }: Resolved): Resolved {
  if (!source) return { prompt, promptSource: source };
  const { from, original, certain, reason } = source;
  const isCut = prompt !== null && prompt.length > MOST_CHARACTERS;
  const reasons = [reason && shortened(reason, MOST_ASIDE), isCut && CUT].filter(Boolean);
  return {
    prompt: isCut ? beginningOf(prompt) : prompt,
    promptSource: {
      from: from && shortened(from, MOST_ASIDE),
      original: original && shortened(original),
      certain: certain && !isCut,
      reason: reasons.length > 0 ? reasons.join('; ') : null,
    },
  };
}

/** Not through the middle of a character. */
const beginningOf = (text: string, most = MOST_CHARACTERS): string =>
  text.slice(0, most).replace(/[\ud800-\udbff]$/, '');

/** A text as a result may repeat it. */
export const shortened = (text: string, most = MOST_CHARACTERS): string =>
  text.length > most ? `${beginningOf(text, most)}…` : text;

/** What is to be said about a prompt; nothing about files that carry none. */
export function notesOn({ promptSource }: Resolved): string[] {
  const reason = promptSource?.reason ?? null;
  return reason === null || reason === NO_PROMPT ? [] : [`prompt: ${reason}`];
}
