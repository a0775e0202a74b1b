/**
 * Refinements on made-up scores whose true gains are known: how often an improvement is claimed that is none, how often
 * one that is there is found, and whether the interval that is told holds it.
 */
import { randomFrom } from '../../src/lib/random.ts';
import { createRefinement } from '../../src/loops/refine/refinement.ts';
import type { Verdict } from '../../src/loops/refine/types.ts';
import type { Trial } from '../../src/loops/study/types.ts';

/** How scores of one prompt differ from seed to seed. */
export type Shape = 'normal' | 'skewed' | 'heavy';

export interface World {
  /** Standard deviation between seeds, in MOS. */
  spread: number;
  /** Correlation of two prompts on the same seed, 0..1. */
  shared: number;
  shape: Shape;
  /** How much wider the scores of variants are spread than those of the original. */
  wider: number;
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
export function play(world: World, seed: number, more: object = {}): Played {
  const refinement = createRefinement({ version: 1, seed, prompt: ORIGINAL, ...more });
  const gains = new Map([[ORIGINAL, 0]]);
  const score = scoring(world, gains, randomFrom(seed));
  for (let step = refinement.step(); ; step = refinement.step()) {
    if (step.kind === 'done') {
      const { verdict } = step;
      const truth = gains.get(verdict.candidate?.prompt ?? ORIGINAL)!;
      return { verdict, truth, images: refinement.spent() };
    }
    if (step.kind === 'make')
      for (const trial of step.trials) {
        const images = [{ image: trial.id, values: { reward: score(trial) } }];
        refinement.tell(trial.id, { images, elapsedMs: 0 });
      }
    else refinement.propose(proposals(step.round, refinement.spec.variants, world.gain, gains));
  }
}

const ORIGINAL = 'a fox';

/** The first one of a round gains, the others change nothing. */
function proposals(round: number, n: number, gain: number, gains: Map<string, number>): string[] {
  const prompts = Array.from({ length: n }, (_, i) => `${ORIGINAL} ${round} ${i}`);
  for (const [i, prompt] of prompts.entries()) gains.set(prompt, i === 0 ? gain : 0);
  return prompts;
}

function scoring({ spread, shared, shape, wider }: World, gains: Map<string, number>, random: () => number) {
  const ofSeed = new Map<number, number>();
  return ({ seed, prompt }: Trial): number => {
    if (!ofSeed.has(seed)) ofSeed.set(seed, DRAW[shape](random));
    const own = Math.sqrt(shared) * ofSeed.get(seed)! + Math.sqrt(1 - shared) * DRAW[shape](random);
    return spread * own * (prompt === ORIGINAL ? 1 : wider) + gains.get(prompt!)!;
  };
}
