/**
 * Rated images as what a diffusion model would make: a seed chooses one of the images of a prompt, none twice before all
 * have come. The scores were computed before, so that a study takes a millisecond.
 */
import { shuffled } from '../../src/lib/random.ts';
import type { StudySpec } from '../../src/loops/study/spec.ts';
import { createStudy, type Study } from '../../src/loops/study/study.ts';
import type { Trial } from '../../src/loops/study/types.ts';

/** By name of the measure. */
export type Values = Readonly<Record<string, number>>;

export interface RatedImage {
  name: string;
  prompt: string;
  generator: string;
  /** Mean opinion scores. */
  mos: Values;
  scores: Values;
  /** Scores of its draft; absent where it was not scored. */
  draft?: Values | undefined;
  /** Scores of its previews, by share of the steps. */
  previews?: ReadonlyMap<number, Values> | undefined;
}

/** How an image is found for a trial. */
export type World = (trial: Trial) => RatedImage;

/** The k-th seed that comes gets the k-th of the images, in an order of its own. */
export function bySeed(images: readonly RatedImage[], random: () => number): World {
  const order = shuffled(images, random);
  const places = new Map<number, number>();
  return ({ seed }) => {
    if (!places.has(seed)) places.set(seed, places.size);
    return order[places.get(seed)! % order.length]!;
  };
}

export interface Ended {
  /** The image that was picked. */
  picked: RatedImage;
  /** Whole images' worth of work. */
  work: number;
  trials: number;
}

/** Looks at the previews of a trial. @returns whether they end it: then the study is told */
export type Watch = (study: Study, trial: Trial, image: RatedImage) => boolean;

/** Runs a study to its end, or so many trials, one at a time. */
export function replay(
  spec: Partial<StudySpec> & { seed: number },
  world: World,
  { most = Number.POSITIVE_INFINITY, watch }: { most?: number; watch?: Watch } = {},
): Ended | null {
  const study = createStudy({ version: 1, ...spec });
  for (let [trial] = study.ask(); trial; [trial] = study.trials.length < most ? study.ask() : []) {
    const image = world(trial);
    if (watch?.(study, trial, image)) continue;
    const { name, scores, draft } = image;
    const values = trial.stage.effort < 1 ? draft! : scores;
    study.tell(trial.id, { images: [{ image: name, values }], elapsedMs: 0 });
  }
  const [winner] = study.winners();
  return winner ? { picked: world(winner.trial), work: study.spent(), trials: study.trials.length } : null;
}
