/** Example images, made from nothing: one clean scene, and the ways in which generation and saving go wrong. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';

const SIZE = 512;

/** A landscape at dusk, as SVG. */
const SCENE = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}">
  <defs>
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="#1b2a5c"/><stop offset=".55" stop-color="#d9775a"/><stop offset="1" stop-color="#f7d08a"/>
    </linearGradient>
    <linearGradient id="lake" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="#e7a56d"/><stop offset="1" stop-color="#22335e"/>
    </linearGradient>
    <radialGradient id="sun"><stop offset="0" stop-color="#fff6d8"/><stop offset=".5" stop-color="#ffd98a"/>
      <stop offset="1" stop-color="#ffd98a" stop-opacity="0"/></radialGradient>
    <filter id="grain"><feTurbulence type="fractalNoise" baseFrequency=".04 .09" numOctaves="5" seed="7"/>
      <feColorMatrix values="0 0 0 0 .1  0 0 0 0 .1  0 0 0 0 .12  0 0 0 .7 -.1"/>
      <feComposite operator="in" in2="SourceGraphic"/></filter>
  </defs>
  <rect width="512" height="512" fill="url(#sky)"/>
  <circle cx="340" cy="225" r="90" fill="url(#sun)"/><circle cx="340" cy="225" r="30" fill="#fff3cf"/>
  <path d="M0 300 90 190 150 250 235 150 330 280 400 215 512 310V360H0Z" fill="#4b3f66"/>
  <path d="M0 300 90 190 150 250 235 150 330 280 400 215 512 310V360H0Z" filter="url(#grain)"/>
  <path d="M0 335 120 280 260 340 390 290 512 340V370H0Z" fill="#2f2a4a"/>
  <rect y="360" width="512" height="152" fill="url(#lake)"/>
  <ellipse cx="340" cy="400" rx="42" ry="5" fill="#ffe7b0" opacity=".8"/>
  <ellipse cx="336" cy="428" rx="60" ry="4" fill="#ffe7b0" opacity=".5"/>
  <ellipse cx="345" cy="462" rx="80" ry="5" fill="#ffe7b0" opacity=".3"/>
  <g fill="#16142a"><path d="M70 512 96 330 122 512Z"/><path d="M20 512 44 380 68 512Z"/><path d="M430 512 462 310 494 512Z"/></g>
</svg>`;

/** Numbers 0..1 that are the same at every run (a linear congruential generator). */
function random(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

async function noisy(scene: Buffer): Promise<Sharp> {
  const { data, info } = await sharp(scene).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const next = random();
  const grainy = data.map((value) => Math.max(0, Math.min(255, value + (next() - 0.5) * 160)));
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
  const scene = await sharp(Buffer.from(SCENE)).removeAlpha().png().toBuffer();
  const blank = sharp({ create: { width: SIZE, height: SIZE, channels: 3, background: '#000000' } });
  return {
    'scene.png': scene,
    'scene-blurred.png': sharp(scene).blur(4).png().toBuffer(),
    'scene-noisy.png': (await noisy(scene)).png().toBuffer(),
    'scene-crushed.jpg': sharp(scene).jpeg({ quality: 4 }).toBuffer(),
    'scene-tiny-enlarged.webp': sharp(await sharp(scene).resize(48).toBuffer())
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
