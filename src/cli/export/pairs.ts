/** Scored images to pairs of a better and a worse one of the same prompt. Pure. */
import { hash } from 'node:crypto';

/** An image with a prompt and a reward. */
export interface Candidate {
  path: string;
  caption: string;
  sha256: string;
  reward: number;
  /** What people said; null when they said nothing. */
  rating: number | null;
}

export const WAYS = ['best-worst', 'all'] as const;

export interface PairRules {
  /** The best with the worst of each prompt, or each image with each. */
  way: (typeof WAYS)[number];
  /** Least difference; what is nearer is a tie, and so is what is equal. */
  margin: number;
  keepTies: boolean;
}

export interface Pair {
  images: [Candidate, Candidate];
  /** 1 for the better one, 0 for the other; 0.5 each for a tie. */
  labels: [number, number];
  by: 'rating' | 'reward';
}

export interface Paired {
  pairs: Pair[];
  prompts: number;
  /** Ties that were left out. */
  ties: number;
}

type Value = (candidate: Candidate) => number;

/** Where all images of a prompt have a rating, ratings decide; else rewards, so that the order is one. */
export function pairsOf(candidates: Candidate[], rules: PairRules): Paired {
  const groups = [...Map.groupBy(candidates, ({ caption }) => caption).values()];
  const paired = groups.map((group) => {
    const by = group.every(({ rating }) => rating !== null) ? 'rating' : 'reward';
    const value: Value = (candidate) => candidate[by]!;
    const couples = couplesOf(group, value, rules.way);
    return couples.map(
      ([better, worse]) =>
        ({ better, worse, by, isTie: isTie(value(better) - value(worse), rules) }) as const,
    );
  });
  const all = paired.flat();
  return {
    pairs: all
      .filter(({ isTie }) => rules.keepTies || !isTie)
      .map(({ better, worse, by, isTie }) => sided(better, worse, by, isTie)),
    prompts: groups.length,
    ties: rules.keepTies ? 0 : all.filter(({ isTie }) => isTie).length,
  };
}

const isTie = (difference: number, { margin }: PairRules): boolean => difference === 0 || difference < margin;

/** Better ones first. Equal images are one image. */
function couplesOf(group: Candidate[], value: Value, way: PairRules['way']): [Candidate, Candidate][] {
  const unique = [...new Map(group.map((candidate) => [candidate.sha256, candidate])).values()];
  const sorted = unique.sort((a, b) => value(b) - value(a));
  if (sorted.length < 2) return [];
  if (way === 'best-worst') return [[sorted[0]!, sorted.at(-1)!]];
  return sorted.flatMap((better, i) =>
    sorted.slice(i + 1).map((worse) => [better, worse] as [Candidate, Candidate]),
  );
}

/** The better one stands on either side as often, and always on the same in the same pair. */
function sided(better: Candidate, worse: Candidate, by: Pair['by'], isTie: boolean): Pair {
  const isFirst = Number.parseInt(hash('sha256', better.sha256 + worse.sha256).slice(0, 2), 16) % 2 === 0;
  const [win, lose] = isTie ? [0.5, 0.5] : [1, 0];
  return isFirst
    ? { images: [better, worse], labels: [win, lose], by }
    : { images: [worse, better], labels: [lose, win], by };
}
