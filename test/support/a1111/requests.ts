/** Requests that run on the fake host, and on a real one with a checkpoint. */

let next = 1;

/** `count` pictures of 64²; no two requests give the same. */
export function pictures(options: { count?: number; seed?: number; steps?: number } = {}) {
  const { count = 1, seed = 100_000 + 100 * next++, steps = 2 } = options;
  return {
    ...{ prompt: 'a fox in the snow', negative_prompt: 'blurry', seed, steps, batch_size: count },
    ...{ width: 64, height: 64, sampler_name: 'Euler', cfg_scale: 7 },
  };
}

/** One picture that takes `steps` × `ms` on the fake. */
export const slow = ({ steps, ms = 50 }: { steps: number; ms?: number }) => ({
  ...pictures({ steps }),
  alwayson_scripts: { Test: { args: [ms, null] } },
});

/** Fails with these words half way. */
export const failing = (message: string) => ({
  ...pictures(),
  alwayson_scripts: { Test: { args: [1, message] } },
});
