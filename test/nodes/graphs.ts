/** Workflows in API format that need no checkpoint. */

type Inputs = Record<string, unknown>;
export type Graph = Record<string, { class_type: string; inputs: Inputs }>;

/** Grey images of growing brightness with a pattern, in one batch; what follows reads `['images', 0]`. */
export const noisy = (count: number, seed: number, size = 512): Graph => ({
  grey: { class_type: 'EmptyImage', inputs: { width: 16, height: 16, batch_size: count, color: 0x808080 } },
  noise: { class_type: 'ImageAddNoise', inputs: { image: ['grey', 0], seed, strength: 1 } },
  images: {
    class_type: 'ImageScale',
    inputs: { image: ['noise', 0], upscale_method: 'bicubic', width: size, height: size, crop: 'disabled' },
  },
});

/** The default inputs of an Assay Gate on `['images', 0]`, with changes. */
export const gate = (changes: Inputs = {}): Graph[string] => ({
  class_type: 'AssayGate',
  inputs: {
    images: ['images', 0],
    aspect: 'quality',
    measure: 'percentile',
    threshold: 0.3,
    unsure_within_interval: false,
    unsure: 'accept',
    on_failure: 'pass',
    compact: false,
    ...changes,
  },
});

export const save = (node: string, output: number, prefix: string): Graph[string] => ({
  class_type: 'SaveImage',
  inputs: { images: [node, output], filename_prefix: prefix },
});
