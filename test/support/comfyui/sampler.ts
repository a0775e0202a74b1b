/** A real ComfyUI that really samples: needs COMFYUI_DIR, and a checkpoint in its models, of random weights if need be. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempFolder } from '../files.ts';
import { type Graph, sink } from './graphs.ts';
import { type RealHost, startReal } from './real.ts';

const { COMFYUI_DIR = '' } = process.env;
const checkpoints = join(COMFYUI_DIR, 'models/checkpoints');
const checkpoint =
  COMFYUI_DIR && existsSync(checkpoints)
    ? readdirSync(checkpoints).find((name) => name.endsWith('.safetensors'))
    : undefined;

export const hasSampler = checkpoint !== undefined;

/** For the name of a suite. */
export const whyNot = hasSampler ? '' : ' (skipped: COMFYUI_DIR with a checkpoint is not set)';

/** With previews of latents. The caller stops it. */
export function startSampler(): Promise<RealHost> {
  const models = join(tempFolder(), 'models.yaml');
  writeFileSync(models, `real:\n  base_path: ${join(COMFYUI_DIR, 'models')}\n  checkpoints: checkpoints\n`);
  return startReal({ flags: ['--preview-method', 'latent2rgb', '--extra-model-paths-config', models] });
}

/** As users make images. The last node evens out what a net of random weights makes, which guards take for noise. */
export const sampling = (steps: number): Graph => ({
  '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: checkpoint } },
  '5': { class_type: 'EmptyLatentImage', inputs: { width: 64, height: 64, batch_size: 1 } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a red fox', clip: ['4', 1] } },
  '7': { class_type: 'CLIPTextEncode', inputs: { text: 'blurry', clip: ['4', 1] } },
  '3': {
    class_type: 'KSampler',
    inputs: {
      ...{ seed: 1, steps, cfg: 7, sampler_name: 'euler', scheduler: 'normal', denoise: 1 },
      ...{ model: ['4', 0], positive: ['6', 0], negative: ['7', 0], latent_image: ['5', 0] },
    },
  },
  '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
  '10': { class_type: 'ImageBlur', inputs: { image: ['8', 0], blur_radius: 8, sigma: 4 } },
  '9': sink('output', ['10', 0], 'sampled'),
});
