/**
 * Other versions of a prompt without a language model: the best ones so far with a phrase added, one taken away or
 * exchanged, or their parts in another order. What the original says stays as it is. Pure but for its draws.
 */
import { randomFrom, shuffled } from '../../lib/random.ts';
import type { History, Proposal, Proposer } from '../../types/proposer.ts';
import { sameAs } from './intake.ts';
import { BANKS } from './phrases.ts';

/** Versions that are built upon, best first. */
const PARENTS = 3;
/** Draws for each version that is asked for, before there seem to be no more. */
const DRAWS = 40;

type Random = () => number;
type Parts = readonly string[];

const partsOf = (prompt: string): string[] =>
  prompt
    .split(/\s*[,\n]\s*/)
    .map((part) => part.trim().replace(/\.$/, ''))
    .filter((part) => part !== '');

const pickOf = <T>(items: readonly T[], random: Random): T => items[Math.floor(random() * items.length)]!;

/** Phrases that say something new. */
function phrasesFor(prompt: string): string[] {
  return BANKS.filter(({ unless }) => !unless.test(prompt)).flatMap(({ phrases }) => phrases);
}

const ALL = new Set(BANKS.flatMap(({ phrases }) => phrases));

/** A change of a version; null where it cannot be made. @param own parts of the original, which stay */
type Edit = (parts: Parts, own: number, original: string, random: Random) => Parts | null;

const add: Edit = (parts, _, original, random) => {
  const free = phrasesFor(`${original}, ${parts.join(', ')}`);
  return free.length > 0 ? [...parts, pickOf(free, random)] : null;
};

const takeAway: Edit = (parts, own, _, random) => {
  const added = parts.filter((part) => ALL.has(part));
  if (added.length < 2 || parts.length <= own) return null;
  const gone = pickOf(added, random);
  return parts.filter((part) => part !== gone);
};

const exchange: Edit = (parts, own, original, random) => {
  const added = parts.filter((part) => ALL.has(part));
  if (added.length === 0 || parts.length <= own) return null;
  const gone = pickOf(added, random);
  return add(
    parts.filter((part) => part !== gone),
    own,
    original,
    random,
  );
};

/** The first part is what the picture is of. */
const reorder: Edit = ([first, ...rest], _own, _original, random) =>
  rest.length > 1 ? [first!, ...shuffled(rest, random)] : null;

const lead: Edit = (parts, own, _, random) => {
  if (parts.length === own) return null;
  const added = pickOf(
    parts.filter((part) => ALL.has(part)),
    random,
  );
  return added === undefined ? null : [added, ...parts.filter((part) => part !== added)];
};

/** As often as they stand here. */
const EDITS: readonly Edit[] = [add, add, add, exchange, takeAway, reorder, lead];

function versions({ original, attempts }: History, n: number, random: Random): string[] {
  const own = partsOf(original).length;
  const known = new Set(attempts.map(({ prompt }) => sameAs(prompt)));
  const better = attempts.filter(({ gain }) => gain !== null && gain > 0).slice(0, PARENTS);
  const parents = [original, ...better.map(({ prompt }) => prompt)];
  const made: string[] = [];
  for (let draws = 0; draws < DRAWS * n && made.length < n; draws++) {
    const parts = pickOf(EDITS, random)(partsOf(pickOf(parents, random)), own, original, random);
    const prompt = parts?.join(', ');
    if (prompt === undefined || known.has(sameAs(prompt))) continue;
    known.add(sameAs(prompt));
    made.push(prompt);
  }
  return made;
}

/** @param seed of its draws: the same history, the same proposals */
export const offlineProposer = (seed: number): Proposer => ({
  name: 'phrase bank',
  cost: () => null,
  async propose(history, n, signal): Promise<Proposal> {
    signal.throwIfAborted();
    const random = randomFrom(seed + history.attempts.length);
    return { prompts: versions(history, n, random), notes: [] };
  },
});
