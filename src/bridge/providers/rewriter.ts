/** A language model that rewrites prompts: it sees what was tried and how it did, and proposes the next ones. */
import { z } from 'zod';
import type { Attempt, History, Proposer } from '../../types/proposer.ts';
import type { Chat, Message } from './chat.ts';

/** Best first; the rest would only make the question long. */
const SHOWN = 12;
const MOST_CHARACTERS = 1500;

/** @see docs/refine.md, which shows it */
export const answerSchema = z.strictObject({ variants: z.array(z.string()).min(1).max(100) });

const RULES = `You write prompts for a model that makes images from text. You are given an original prompt, versions of it that
were tried, and how the images of each were scored beside those of the original on the same seeds. Write new versions
whose images score higher.
- Every version shows what the original shows: the same things, their number, their properties, what they do.
- Every version has all of the words that must stay, and denies none of them.
- Learn from the figures: keep what gained, leave what lost, and let the versions differ from each other.
- Repeat no version that was tried.
- A version is one line, in the language of the original, with no comment.`;

const numberOf = (x: number): string => (x < 0 ? `-${Math.abs(x).toFixed(3)}` : x.toFixed(3));

function lineOf({ prompt, value, gain, seeds, critique }: Attempt, measure: string): string {
  const figures = [
    gain === null ? 'the original' : `gain ${numberOf(gain)}`,
    value === null ? `no ${measure}` : `${measure} ${numberOf(value)}`,
    `${seeds} seeds`,
    ...(critique === '' ? [] : [critique]),
  ];
  return `- [${figures.join('; ')}] ${prompt.slice(0, MOST_CHARACTERS)}`;
}

function messagesOf({ original, words, measure, attempts, refused }: History, n: number): Message[] {
  const shape = `{"variants": [${n} strings]}`;
  const parts = [
    `Original prompt: ${original}`,
    `Words that must stay: ${words.join(', ') || 'none'}`,
    `Tried so far, best first:\n${attempts
      .slice(0, SHOWN)
      .map((attempt) => lineOf(attempt, measure))
      .join('\n')}`,
    ...(refused.length > 0
      ? [
          `Proposed and not tried:\n${refused.map(({ prompt, reason }) => `- [${reason}] ${prompt.slice(0, MOST_CHARACTERS)}`).join('\n')}`,
        ]
      : []),
    `Write ${n} new versions. Answer with JSON alone: ${shape}`,
  ];
  return [
    { role: 'system', content: RULES },
    { role: 'user', content: parts.join('\n\n') },
  ];
}

export const rewriter = (chat: Chat): Proposer => ({
  name: `${chat.model} at ${chat.url}`,
  cost: () => chat.cost(),
  check: (signal) => chat.check(signal),
  async propose(history, n, signal) {
    const { variants } = await chat.ask(messagesOf(history, n), answerSchema, signal);
    const notes = variants.length < n ? [`${chat.model} gave ${variants.length} of ${n} versions`] : [];
    return { prompts: variants, notes };
  },
});
