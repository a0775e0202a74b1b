/** Rated images and their previews: trials are stopped early as `assay best --previews` does it. */
import { type Point, pointsOf, usablePoints } from '../../src/loops/previews/calibration.ts';
import { isControl, isWorthIt } from '../../src/loops/previews/worth.ts';
import { candidatesOf } from '../../src/loops/study/pick.ts';
import type { Preview, TrialState } from '../../src/loops/study/types.ts';
import type { RatedImage, Watch } from './world.ts';

const STEPS = 100;
const CONTROL = 0.2;

const previewsOf = ({ previews }: RatedImage): Preview[] =>
  [...(previews ?? [])].map(([share, values]) => ({
    ...{ node: '', step: Math.round(share * STEPS), of: STEPS, share, values },
  }));

/** What is measured on these images. */
export function calibrate(images: readonly RatedImage[], by: string): Point[] {
  const states = images.map(
    (image, n): TrialState => ({
      trial: {
        ...{ id: `t${n + 1}`, prompt: null, seed: n, parameters: {}, from: null },
        stage: { name: 'full', effort: 1 },
      },
      outcome: { images: [{ image: image.name, values: image.scores }], elapsedMs: 0 },
      previews: previewsOf(image),
    }),
  );
  return pointsOf(states, by);
}

/** Stops what previews say is not worth finishing. */
export function stopBy(points: readonly Point[], demand: number, by: string): Watch {
  const usable = usablePoints({ points: [...points] }, demand);
  return (study, trial, image) => {
    if (isControl(study.spec.seed, trial, CONTROL)) return false;
    const finished = candidatesOf(study.trials, [by]).map(({ value }) => value);
    const stops = previewsOf(image).find(({ step, share, values }) => {
      const point = usable.find((one) => one.step === step);
      const value = values[by];
      if (!point || typeof value !== 'number') return false;
      return !isWorthIt({ spec: study.spec, finished }, point, value, share);
    });
    if (!stops) return false;
    study.tell(trial.id, { pruned: { preview: stops, share: stops.share }, elapsedMs: 0 });
    return true;
  };
}
