/** The answer of a language model to a question for a rating: five words, and how likely it held each. Pure. */
import type { ProviderAnswer, SaidToken } from '../../types/provider.ts';

/** From the worst to the best; a word is worth its place, 1 to 5. */
export const WORDS = ['bad', 'poor', 'fair', 'good', 'excellent'] as const;
export const LEVELS: number[] = WORDS.map((_, i) => i + 1);

/** What was rated, or why that cannot be told. */
export type Rating =
  | {
      kind: 'probabilities';
      /** One a word; they sum to 1. */
      row: number[];
      /** Probability of the five words together, 0..1, among all that could have been said. */
      share: number;
    }
  | { kind: 'word'; level: number }
  | { kind: 'none'; fault: string };

const THOUGHTS = /^[\s\S]*<\/think(?:ing)?>/;
const ANY_WORD = new RegExp(`\\b(?:${WORDS.join('|')})\\b`, 'g');
const DENIAL = /\b(?:not|cannot|never|no|neither)\b|n['’]t\b/;

/** Letters of a token or a word, in small ones: what stands before and after is spacing and quotes. */
const lettersOf = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '');

/**
 * The one rating word that an answer consists of, begins with or ends with. A sentence that denies something, or weighs
 * several words, is no rating.
 */
function wordIn(text: string): (typeof WORDS)[number] | null {
  const said = text.toLowerCase();
  const [word, ...others] = new Set(said.match(ANY_WORD) ?? []);
  if (word === undefined || others.length > 0 || DENIAL.test(said)) return null;
  const words = said.match(/[a-z]+/g)!;
  const isPlain = words[0] === word || words.at(-1) === word;
  return isPlain ? (word as (typeof WORDS)[number]) : null;
}

/** The rating word that a token is, or begins with enough letters to be no other. */
function wordOf(token: string): number | undefined {
  const letters = lettersOf(token);
  const at = WORDS.findIndex(
    (word) => word === letters || (letters.length >= LEAST_LETTERS && word.startsWith(letters)),
  );
  return at < 0 ? undefined : at;
}

/** A single letter may begin any word. */
const LEAST_LETTERS = 2;

/** Where the rating word begins, after what was thought aloud. */
function placeOf(word: string, tokens: readonly SaidToken[]): SaidToken | undefined {
  const whole = tokens.map(({ token }) => token).join('');
  const thoughts = THOUGHTS.exec(whole)?.[0].length ?? 0;
  let at = 0;
  return tokens.find(({ token }) => {
    at += token.length;
    const found = at > thoughts ? wordOf(token) : undefined;
    return found !== undefined && WORDS[found] === word;
  });
}

function probabilitiesAt({ token, logprob, choices }: SaidToken): number[] {
  const row = WORDS.map(() => 0);
  const all = choices.some((choice) => choice.token === token) ? choices : [...choices, { token, logprob }];
  for (const choice of all) {
    const word = wordOf(choice.token);
    if (word !== undefined) row[word]! += Math.exp(choice.logprob);
  }
  return row;
}

/** What an answer rates. Words that are not among the likeliest tokens count as impossible. */
export function ratingOf({ text, tokens, isCut }: Pick<ProviderAnswer, 'text' | 'tokens' | 'isCut'>): Rating {
  const answer = text.replace(THOUGHTS, '').trim();
  if (answer === '')
    return { kind: 'none', fault: isCut ? 'it was cut off before it answered' : 'it said nothing' };
  const word = wordIn(answer);
  if (word === null) return { kind: 'none', fault: `it said: ${answer}` };
  const place = placeOf(word, tokens ?? []);
  const row = place && probabilitiesAt(place);
  const share = row?.reduce((sum, p) => sum + p, 0) ?? 0;
  if (!row || !(share > 0) || !Number.isFinite(share))
    return { kind: 'word', level: WORDS.indexOf(word) + 1 };
  return { kind: 'probabilities', row: row.map((p) => p / share), share: Math.min(1, share) };
}
