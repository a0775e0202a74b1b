/** What proposers are shown: what was tried, how it did, and what its images are like. Pure. */
import type { Attempt, History } from '../../types/proposer.ts';
import { contentWords } from './drift.ts';
import { mean } from './gain.ts';
import type { Refused } from './intake.ts';
import type { Scores } from './scores.ts';
import type { RefineSpec } from './spec.ts';
import type { Variant } from './types.ts';

const MOST_REASONS = 3;
const MOST_REFUSED = 8;

const signed = (x: number): string => `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(2)}`;

/** Mean of each measure over images. */
function measuresOf(images: ReturnType<Scores['images']>): Map<string, number> {
  const names = [...new Set(images.flatMap(({ values }) => Object.keys(values)))];
  return new Map(
    names.flatMap((name): [string, number][] => {
      const values = images.map(({ values }) => values[name] ?? null).filter((value) => value !== null);
      return values.length > 0 ? [[name, mean(values)]] : [];
    }),
  );
}

export interface Seen {
  spec: RefineSpec;
  scores: Scores;
  original: Variant;
  variants: readonly Variant[];
  refused: readonly Refused[];
}

function attemptOf({ spec, scores, original }: Seen, variant: Variant): Attempt {
  const own = scores.values(variant, 0, spec.seeds);
  const imagesOf = (of: Variant) => [...own.keys()].flatMap((seed) => scores.images({ variant: of, seed }));
  const images = imagesOf(variant);
  const measures = measuresOf(images);
  const base = variant === original ? new Map<string, number>() : measuresOf(imagesOf(original));
  const parts = [...measures]
    .filter(([name]) => name !== spec.by)
    .map(([name, value]) => {
      const other = base.get(name);
      return `${name} ${value.toFixed(2)}${other === undefined ? '' : ` (${signed(value - other)})`}`;
    });
  const bare = images.filter(({ values }) => (values[spec.by] ?? null) === null);
  const reasons = [...new Set(bare.flatMap(({ reasons = [] }) => reasons))].slice(0, MOST_REASONS);
  if (bare.length > 0)
    parts.push(
      `${bare.length} of ${images.length} images have no value${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}`,
    );
  return {
    prompt: variant.prompt,
    value: measures.get(spec.by) ?? null,
    gain: variant === original ? null : scores.gain(variant, original, 0, spec.seeds),
    seeds: own.size,
    critique: parts.join(', '),
  };
}

export function historyOf(seen: Seen): History {
  const { spec, original, variants, refused } = seen;
  const attempts = variants
    .filter((variant) => variant !== original)
    .map((variant) => attemptOf(seen, variant))
    .toSorted((a, b) => (b.gain ?? Number.NEGATIVE_INFINITY) - (a.gain ?? Number.NEGATIVE_INFINITY));
  return {
    ...{ original: spec.prompt, words: contentWords(spec.prompt), measure: spec.by },
    attempts: [attemptOf(seen, original), ...attempts],
    refused: refused.slice(-MOST_REFUSED),
  };
}
