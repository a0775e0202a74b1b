/**
 * Refinements on made-up scores whose true gains are known: how often an improvement is claimed that is none, how often
 * one that is there is found, and whether the interval that is told holds it.
 */
import { randomFrom } from '../../src/lib/random.ts';
import { createRefinement } from '../../src/loops/refine/refinement.ts';
import type { Verdict } from '../../src/loops/refine/types.ts';

/** How scores of one prompt differ from seed to seed. */
export type Shape = 'normal' | 'skewed' | 'heavy';

export interface World {
  /** Standard deviation between seeds, in MOS. */
  spread: number;
  /** Correlation of two prompts on the same seed, 0..1. */
  shared: number;
  shape: Shape;
  /** True gain in MOS of one variant a round; the others change nothing. */
  gain: number;
}

export interface Played {
  verdict: Verdict;
  /** True gain of the variant that went into the confirmation; 0 where there was none. */
  truth: number;
  images: number;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Mean 0, standard deviation 1. */
const DRAW: Record<Shape, (random: () => number) => number> = {
  normal,
  /** An exponential, upside down: most are good, some are bad. */
  skewed: (random) => 1 + Math.log(1 - random()),
  /** Student's t with 3 degrees of freedom. */
  heavy(random) {
    const chi = normal(random) ** 2 + normal(random) ** 2 + normal(random) ** 2;
    return normal(random) / Math.sqrt(chi / 3) / Math.sqrt(3);
  },
};

/** One prompt, refined to the end. @param more of the spec */
export function play({ spread, shared, shape, gain }: World, seed: number, more: object = {}): Played {
  const random = randomFrom(seed);
  const draw = () => DRAW[shape](random);
  const ofSeed = new Map<number, number>();
  const refinement = createRefinement({ version: 1, seed, prompt: 'a fox', ...more });
  const gains = new Map([['a fox', 0]]);
  for (;;) {
    const step = refinement.step();
    if (step.kind === 'done')
      return {
        verdict: step.verdict,
        truth: gains.get(step.verdict.candidate?.prompt ?? '') ?? 0,
        images: refinement.spent(),
      };
    if (step.kind === 'propose') {
      const prompts = Array.from({ length: refinement.spec.variants }, (_, i) => `a fox ${step.round} ${i}`);
      for (const [i, prompt] of prompts.entries()) gains.set(prompt, i === 0 ? gain : 0);
      refinement.propose(prompts);
      continue;
    }
    for (const trial of step.trials) {
      if (!ofSeed.has(trial.seed)) ofSeed.set(trial.seed, draw());
      const own = Math.sqrt(shared) * ofSeed.get(trial.seed)! + Math.sqrt(1 - shared) * draw();
      const reward = spread * own + gains.get(trial.prompt!)!;
      refinement.tell(trial.id, { images: [{ image: trial.id, values: { reward } }], elapsedMs: 0 });
    }
  }
}
