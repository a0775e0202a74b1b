/** Example images, made from nothing: one clean scene, and the ways in which generation and saving go wrong. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { landscape, random } from './landscape.ts';

const SIZE = 512;

async function noisy(scene: Buffer): Promise<Sharp> {
  const { data, info } = await sharp(scene).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const next = random();
  const grainy = data.map((value) => Math.max(0, Math.min(255, value + (next() - 0.5) * 340)));
  return sharp(grainy, { raw: { width: info.width, height: info.height, channels: 3 } });
}

function staticNoise(): Sharp {
  const next = random();
  const data = Buffer.from(Array.from({ length: SIZE * SIZE * 3 }, () => next() * 256));
  return sharp(data, { raw: { width: SIZE, height: SIZE, channels: 3 } });
}

/** Made-up ratings, so that `assay eval` has something to measure: how much each image suffered. */
const RATINGS: Record<string, number> = {
  'scene.png': 4.5,
  'scene-noisy.png': 2.2,
  'scene-blurred.png': 2,
  'scene-tiny-enlarged.webp': 1.6,
  'scene-crushed.jpg': 1.1,
  'blank.png': 0.3,
  'static.png': 0.2,
};

async function scenes(): Promise<Record<string, Promise<Buffer> | Buffer>> {
  const scene = await sharp(Buffer.from(landscape(SIZE)))
    .removeAlpha()
    .png()
    .toBuffer();
  const blank = sharp({ create: { width: SIZE, height: SIZE, channels: 3, background: '#000000' } });
  return {
    'scene.png': scene,
    'scene-blurred.png': sharp(scene).blur(4).png().toBuffer(),
    'scene-noisy.png': (await noisy(scene)).png().toBuffer(),
    'scene-crushed.jpg': sharp(scene).jpeg({ quality: 4 }).toBuffer(),
    'scene-tiny-enlarged.webp': sharp(await sharp(scene).resize(32).toBuffer())
      .resize(SIZE)
      .webp()
      .toBuffer(),
    'scene-cut-short.png': scene.subarray(0, scene.length / 2),
    'blank.png': blank.png().toBuffer(),
    'static.png': staticNoise().png().toBuffer(),
  };
}

/** Writes the example images into `folder` and returns their paths. A file that is there stays as it is. */
export async function writeScenes(folder: string): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const images = await scenes();
  for (const [name, bytes] of Object.entries(images)) {
    const path = join(folder, name);
    if (!existsSync(path)) writeFileSync(path, await bytes);
  }
  return Object.keys(images).map((name) => join(folder, name));
}

/** Writes what the README's commands are about: `pictures/`, and ratings of them in `ratings.csv`. */
export async function writePlayground(folder: string): Promise<string[]> {
  const paths = await writeScenes(join(folder, 'pictures'));
  const ratings = join(folder, 'ratings.csv');
  const rows = Object.entries(RATINGS).map(([name, mos]) => `${name},${mos}`);
  if (!existsSync(ratings)) writeFileSync(ratings, `name,mos_quality\n${rows.join('\n')}\n`);
  return paths;
}
