/** Image files for tests, good and bad, made with sharp. */
import sharp from 'sharp';

/** Deterministic numbers 0..1. */
export function random(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface Raw {
  data: Uint8Array;
  width: number;
  height: number;
}

/** Raw RGB from a function of position. */
export function rgb(
  width: number,
  height: number,
  at: (x: number, y: number) => [number, number, number],
): Raw {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      data.set(
        at(x, y).map((v) => Math.max(0, Math.min(255, v))),
        (y * width + x) * 3,
      );
  return { data, width, height };
}

/** A smooth picture with a few shapes: what a guard must let through. */
export const picture = (width = 256, height = 256): Raw =>
  rgb(width, height, (x, y) => {
    const [u, v] = [x / width, y / height];
    const disc = (u - 0.6) ** 2 + (v - 0.4) ** 2 < 0.03 ? 90 : 0;
    const waves = 25 * Math.sin(9 * u + 4 * v) * Math.cos(7 * v - 3 * u);
    return [60 + 120 * v + waves + disc, 90 + 80 * u + waves, 160 - 100 * v + disc / 2 + waves];
  });

export const noise = (width = 256, height = 256, seed = 1): Raw => {
  const next = random(seed);
  return rgb(width, height, () => [next() * 256, next() * 256, next() * 256]);
};

export const flat = (colour: [number, number, number], size = 128): Raw => rgb(size, size, () => colour);

export const toSharp = ({ data, width, height }: Raw) => sharp(data, { raw: { width, height, channels: 3 } });

export const png = (raw: Raw): Promise<Buffer> => toSharp(raw).png().toBuffer();
export const jpeg = (raw: Raw, quality = 90): Promise<Buffer> => toSharp(raw).jpeg({ quality }).toBuffer();

/** A PNG of which nothing is seen but what lies under it. */
export function transparentPng(size: number): Promise<Buffer> {
  const background = { r: 9, g: 9, b: 9, alpha: 0 };
  return sharp({ create: { width: size, height: size, channels: 4, background } })
    .png()
    .toBuffer();
}

/** A PNG that says it has these sides; its pixels are missing. */
export async function pngHeader(width: number, height: number): Promise<Buffer> {
  const bytes = Buffer.from(await png(flat([1, 2, 3], 8)));
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  return bytes;
}

/** CRC-32 as PNG chunks carry it. */
function crc32(data: Uint8Array): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A CMYK JPEG of one colour (given as ink shares 0..1). */
export async function cmykJpeg(): Promise<Buffer> {
  return toSharp(picture(64, 64)).toColourspace('cmyk').jpeg().toBuffer();
}
