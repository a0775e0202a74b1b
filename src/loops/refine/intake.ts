/** Which of the proposed prompts are tried, and why the others are not. Pure. */
import { fewOf } from '../../lib/words.ts';
import { hasDrifted, lostWords } from './drift.ts';
import type { RefineSpec } from './spec.ts';

export interface Refused {
  prompt: string;
  /** For people, and for the proposer. */
  reason: string;
}

export interface Intake {
  taken: string[];
  refused: Refused[];
}

/** Longer ones are cut by every text encoder there is. In characters, unless the original is longer. */
const MOST_CHARACTERS = 1500;

/** Two prompts that differ in nothing but space, case and commas are one. */
export const sameAs = (prompt: string): string =>
  prompt
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s,.;]+/g, ' ')
    .trim();

/** @param known prompts that were tried */
export function sorted(proposed: readonly string[], known: readonly string[], spec: RefineSpec): Intake {
  const seen = new Set(known.map(sameAs));
  const intake: Intake = { taken: [], refused: [] };
  const most = Math.max(MOST_CHARACTERS, spec.prompt.length * 2);
  const fault = (prompt: string): string | null => {
    if (sameAs(prompt) === '') return 'it is empty';
    if (seen.has(sameAs(prompt))) return 'it was tried before';
    if (prompt.length > most) return `it has ${prompt.length} characters, more than ${most}`;
    if (!hasDrifted(spec.prompt, prompt, spec.keepWords)) return null;
    return `it has lost ${fewOf(lostWords(spec.prompt, prompt))}`;
  };
  for (const given of proposed) {
    const prompt = given.trim();
    const reason = fault(prompt) ?? (intake.taken.length === spec.variants ? 'there are enough' : null);
    if (reason === null) {
      intake.taken.push(prompt);
      seen.add(sameAs(prompt));
    } else intake.refused.push({ prompt, reason });
  }
  return intake;
}
