/** What the fake host makes: pictures that follow from their seed, with the text that such hosts write into them. */
import sharp from 'sharp';

export interface Asked {
  prompt: string;
  negative: string;
  seed: number;
  subseed: number;
  strength: number;
  steps: number;
  width: number;
  height: number;
  count: number;
}

/** The sums of a seed that the picture is made of: another seed, another picture. */
const shade = (seed: number, k: number): number => 40 + ((seed * 37 + k * 61) % 160);

function pixels(width: number, height: number, seed: number) {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++)
        data[(y * width + x) * 3 + c] = Math.min(255, shade(seed, c) + ((x * 3 + y * 2) % 50));
  return sharp(data, { raw: { width, height, channels: 3 } });
}

function crcOf(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A PNG with the text `parameters`, as iTXt, which holds any. */
export function withText(png: Buffer, text: string): Buffer {
  const data = Buffer.concat([Buffer.from('iTXtparameters\0\0\0\0\0', 'latin1'), Buffer.from(text)]);
  const chunk = Buffer.alloc(data.length + 8);
  chunk.writeUInt32BE(data.length - 4, 0);
  data.copy(chunk, 4);
  chunk.writeUInt32BE(crcOf(data), data.length + 4);
  const afterHeader = 33;
  return Buffer.concat([png.subarray(0, afterHeader), chunk, png.subarray(afterHeader)]);
}

export const infotextOf = ({ prompt, negative, seed, steps, width, height }: Asked): string =>
  [
    prompt,
    ...(negative ? [`Negative prompt: ${negative}`] : []),
    `Steps: ${steps}, Sampler: Euler, CFG scale: 7.0, Seed: ${seed}, Size: ${width}x${height}, Model: fake`,
  ].join('\n');

/** @param scale of a picture that is a preview in its place */
export async function pictureOf(asked: Asked, hasText: boolean, scale = 1): Promise<Buffer> {
  const { width, height, seed } = asked;
  const image = pixels(Math.max(8, width * scale), Math.max(8, height * scale), seed + asked.subseed * 7);
  const png = await image.png().toBuffer();
  return hasText ? withText(png, infotextOf(asked)) : png;
}

/** Of the host's own, told by its look alone. */
export const maskOf = async ({ width, height }: Asked): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: 'white' } })
    .png()
    .toBuffer();
