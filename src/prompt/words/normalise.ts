/**
 * The one place where a prompt becomes plain words: weights, tags, flags, comments, the negative part and parameters go.
 * Pure; takes time in proportion to the length. The grammar stands in docs/prompts.md.
 */
import { LRUCache } from 'lru-cache';
import { type Infotext, isInfotext, parseInfotext } from '../infotext.ts';
import { unbracket } from './brackets.ts';
import { withoutCompel } from './compel.ts';
import { decodeEntities } from './entities.ts';
import { withoutFlags } from './flags.ts';
import { joinParts } from './parts.ts';
import { unfilledIn, withoutComments, withoutRatings, withoutTags } from './tags.ts';

export interface Words {
  /** Null when there are none, or when they cannot be known. */
  words: string | null;
  negative: string | null;
  /** Why there are no words. */
  reason: string | null;
  /** Whether something in it is still to be chosen: it has words, though nobody knows which. */
  isOpen?: true;
}

/** Longer texts are cut before anything is done with them; models read some hundred words at most. */
export const MOST_TEXT = 100_000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;
/** Byte order mark, zero-width space, soft hyphen, marks of direction. Joiners stay: emoji and scripts need them. */
const INVISIBLE = /[\ufeff\u200b\u00ad\u2060\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** Where it is met, plain brackets are emphasis, too. */
const WEIGHTED = /\(\(|:\d*\.\d+\s*\)|<(?:lora|lyco|hypernet)|(?:^|\W)BREAK(?:\W|$)|\{\{|\[\[/;

const clean = (text: string): string =>
  decodeEntities(text).replace(/\r\n?/g, '\n').replace(CONTROLS, ' ').replace(INVISIBLE, '');

/** White space and commas that stand in a row become one; a line break among them stays. */
const tidy = (text: string): string =>
  text
    .replace(/[^\S\n]+/g, ' ')
    .replace(/ ?\n[ \n]*/g, '\n')
    .replace(/ (?=[,，])/g, '')
    .replace(/([,，])(?:[ \n]?[,，])+/g, '$1')
    .replace(/^[\s,，]+/, '')
    .replace(/[\s,，]+$/, '');

export const hasWords = (text: string): boolean =>
  /[\p{L}\p{N}]/u.test(text.replace(/[\d#*]\ufe0f?\u20e3/gu, ''));

const none = (reason: string, negative: string | null): Words => ({ words: null, negative, reason });

/** Words of one side of a prompt, and what turned out to belong to the other. */
function plain(text: string): { words: string; negative: string[]; open: string | null } {
  const bare = withoutCompel(withoutComments(text));
  const flags = withoutFlags(bare);
  const open = unfilledIn(flags.text);
  const flat = unbracket(withoutTags(flags.text), WEIGHTED.test(flags.text));
  const parts = joinParts(flat.text);
  const words = tidy(withoutRatings(parts.text));
  return {
    words,
    negative: [flags.negative, ...flat.negative, ...parts.negative],
    open: open ?? flat.choice,
  };
}

function negativeOf(texts: string[]): string | null {
  const words = texts.map((text) => tidy(unbracket(withoutTags(text), true).text)).filter(hasWords);
  return words.length > 0 ? words.join(', ') : null;
}

/** Whether it has no words beside tags and ratings. A choice that is open says something, though not what. */
export function saysNothing(given: string): boolean {
  const { prompt } = sidesOf(clean(given.slice(0, MOST_TEXT)));
  const { words, open } = plain(prompt);
  return open === null && !hasWords(words);
}

const sidesOf = (text: string): Pick<Infotext, 'prompt' | 'negative'> =>
  isInfotext(text) ? parseInfotext(text) : { prompt: text, negative: '' };

/** The images of a request mostly share their prompt. */
const recent = new LRUCache<string, Words>({
  max: 64,
  maxSize: 2 ** 20,
  sizeCalculation: (_, text) => text.length + 1,
});

/** The words of a prompt as a person, a file or a workflow gives it. */
export function normalise(given: string): Words {
  const known = recent.get(given);
  if (known) return known;
  const found = wordsOf(given);
  recent.set(given, found);
  return found;
}

function wordsOf(given: string): Words {
  const text = clean(given.slice(0, MOST_TEXT));
  const { prompt, negative: aside } = sidesOf(text);
  const { words, negative: found, open } = plain(prompt);
  const negative = negativeOf([aside, ...found]);
  if (open !== null)
    return { ...none(`${open} is not filled in, so the prompt cannot be known`, negative), isOpen: true };
  if (hasWords(words)) return { words, negative, reason: null };
  const reason = hasWords(prompt) ? 'nothing but tags is left of the prompt' : 'the prompt has no words';
  return none(reason, negative);
}
