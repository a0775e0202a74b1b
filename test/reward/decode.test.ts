import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decode } from '../../src/reward/decode.ts';
import type { ImageInput } from '../../src/types.ts';
import { cmykJpeg, flat, jpeg, picture, png, pngHeader, type Raw, rgb, toSharp } from '../support/images.ts';

const options = { maxImageBytes: 1_000_000, maxPixels: 1_000_000, maxSide: 4096, background: '#ffffff' };
const encoded = (bytes: Uint8Array): ImageInput => ({ kind: 'encoded', bytes });
const load = (bytes: Uint8Array) => decode(encoded(bytes), options);

function largestDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
}

const pixelAt = (p: { data: Uint8Array; width: number }, x: number, y: number) =>
  Array.from(p.data.subarray((y * p.width + x) * 3, (y * p.width + x) * 3 + 3));

describe('decode', () => {
  const source = picture(96, 64);

  it.each<[string, (raw: Raw) => Promise<Buffer>, number]>([
    ['PNG', png, 0],
    ['lossless WebP', (raw) => toSharp(raw).webp({ lossless: true }).toBuffer(), 0],
    ['JPEG', (raw) => jpeg(raw, 95), 40],
    ['AVIF', (raw) => toSharp(raw).avif({ quality: 90 }).toBuffer(), 24],
    ['GIF', (raw) => toSharp(raw).gif().toBuffer(), 60],
    ['16-bit PNG', (raw) => toSharp(raw).toColourspace('rgb16').png().toBuffer(), 1],
    ['PNG with a palette', (raw) => toSharp(raw).png({ palette: true }).toBuffer(), 60],
    ['CMYK JPEG', () => cmykJpeg(), 255],
  ])('reads %s', async (_name, encode, tolerance) => {
    const pixels = await load(await encode(source));
    const size = _name === 'CMYK JPEG' ? [64, 64] : [96, 64];
    expect([pixels.width, pixels.height]).toEqual(size);
    expect(pixels.data.length).toBe(size[0]! * size[1]! * 3);
    if (tolerance < 255) expect(largestDifference(pixels.data, source.data)).toBeLessThanOrEqual(tolerance);
  });

  it('converts CMYK to colours that resemble the original', async () => {
    const pixels = await load(await cmykJpeg());
    const mean = pixels.data.reduce((sum, v) => sum + v, 0) / pixels.data.length;
    const original = picture(64, 64).data;
    expect(Math.abs(mean - original.reduce((sum, v) => sum + v, 0) / original.length)).toBeLessThan(20);
  });

  it('reads a grey image as three equal channels', async () => {
    const bytes = await toSharp(source).toColourspace('b-w').png().toBuffer();
    expect((await sharp(bytes).metadata()).channels).toBe(1);
    const pixels = await load(bytes);
    const [r, g, b] = pixelAt(pixels, 10, 10);
    expect(r).toBe(g);
    expect(g).toBe(b);
  });

  it('takes the first frame of an animation', async () => {
    const frames = [flat([200, 0, 0], 16), flat([0, 0, 200], 16)].map((f) => f.data);
    const strip = { raw: { width: 16, height: 32, channels: 3 as const, pageHeight: 16 } };
    const bytes = await sharp(Buffer.concat(frames), strip)
      .gif({ delay: [100, 100] })
      .toBuffer();
    expect((await sharp(bytes).metadata()).pages).toBe(2);
    const pixels = await load(bytes);
    expect([pixels.width, pixels.height]).toEqual([16, 16]);
    expect(pixelAt(pixels, 8, 8)[0]).toBeGreaterThan(180);
  });

  it('applies the EXIF orientation', async () => {
    const half = rgb(40, 20, (x) => (x < 20 ? [255, 255, 255] : [0, 0, 0]));
    const bytes = await toSharp(half).withMetadata({ orientation: 6 }).png().toBuffer();
    const pixels = await load(bytes);
    expect([pixels.width, pixels.height]).toEqual([20, 40]);
    expect(pixelAt(pixels, 10, 2)).toEqual([255, 255, 255]);
    expect(pixelAt(pixels, 10, 38)).toEqual([0, 0, 0]);
  });

  it.each([
    ['#ffffff', 255],
    ['#000000', 0],
  ])('lays transparency over %s', async (background, value) => {
    const clear = {
      create: { width: 16, height: 16, channels: 4 as const, background: { r: 9, g: 9, b: 9, alpha: 0 } },
    };
    for (const bytes of [
      await sharp(clear).png().toBuffer(),
      await sharp(clear).png({ palette: true }).toBuffer(),
    ]) {
      const pixels = await decode(encoded(bytes), { ...options, background });
      expect(pixelAt(pixels, 3, 3)).toEqual([value, value, value]);
    }
  });

  it('takes raw rgb8 as it is and lays raw rgba8 over the background', async () => {
    const raw = { kind: 'raw', width: 96, height: 64 } as const;
    const same = await decode({ ...raw, format: 'rgb8', bytes: source.data }, options);
    expect(same.data).toBe(source.data);
    const rgba = new Uint8Array(96 * 64 * 4).fill(0);
    const over = await decode({ ...raw, format: 'rgba8', bytes: rgba }, options);
    expect(pixelAt(over, 5, 5)).toEqual([255, 255, 255]);
  });
});

describe('decode refuses', () => {
  const cut = async (bytes: Promise<Buffer>) => {
    const whole = await bytes;
    return whole.subarray(0, Math.floor(whole.length * 0.6));
  };
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>';

  it.each<[string, () => Promise<Uint8Array> | Uint8Array, string, RegExp]>([
    ['no bytes', () => new Uint8Array(), 'IMAGE_EMPTY', /no bytes/],
    [
      'text renamed to .png',
      () => Buffer.from('not an image at all'),
      'IMAGE_UNSUPPORTED',
      /looks like text/,
    ],
    ['a web page', () => Buffer.from('<!doctype html><p>404'), 'IMAGE_UNSUPPORTED', /web page/],
    ['SVG', () => Buffer.from(svg), 'IMAGE_UNSUPPORTED', /SVG/],
    ['TIFF', () => toSharp(picture(32, 32)).tiff().toBuffer(), 'IMAGE_UNSUPPORTED', /TIFF/],
    ['a truncated PNG', () => cut(png(picture())), 'IMAGE_CORRUPT', /cut short/],
    ['a truncated JPEG', () => cut(jpeg(picture())), 'IMAGE_CORRUPT', /cut short/],
    ['a truncated WebP', () => cut(toSharp(picture()).webp().toBuffer()), 'IMAGE_CORRUPT', /cut short/],
    ['a truncated AVIF', () => cut(toSharp(picture()).avif().toBuffer()), 'IMAGE_CORRUPT', /cut short/],
    ['a truncated GIF', () => cut(toSharp(picture()).gif().toBuffer()), 'IMAGE_CORRUPT', /cut short/],
    [
      'a PNG magic and nothing else',
      () => Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      'IMAGE_CORRUPT',
      /cut short/,
    ],
    ['0×0', () => pngHeader(0, 0), 'IMAGE_TOO_SMALL', /0×0/],
    ['1×1', () => png(flat([9, 9, 9], 1)), 'IMAGE_TOO_SMALL', /1×1/],
    [
      'a 30 000×30 000 header',
      () => pngHeader(30_000, 30_000),
      'IMAGE_TOO_LARGE',
      /30000×30000.*1000000 pixels/,
    ],
    ['a long thin header', () => pngHeader(10_000, 16), 'IMAGE_TOO_LARGE', /4096 a side/],
    ['too many bytes', () => new Uint8Array(1_000_001), 'IMAGE_TOO_HEAVY', /1000001 bytes/],
  ])('%s', async (_name, make, code, message) => {
    await expect(load(await make())).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each([
    [{ format: 'rgb8', width: 10, height: 10, bytes: new Uint8Array(299) }, 'RAW_SIZE_MISMATCH'],
    [{ format: 'rgba8', width: 10, height: 10, bytes: new Uint8Array(300) }, 'RAW_SIZE_MISMATCH'],
    [{ format: 'rgb8', width: 0, height: 10, bytes: new Uint8Array(0) }, 'IMAGE_TOO_SMALL'],
    [{ format: 'rgb8', width: 5000, height: 5000, bytes: new Uint8Array(0) }, 'IMAGE_TOO_LARGE'],
  ] as const)('raw %o', async (raw, code) => {
    await expect(decode({ kind: 'raw', ...raw }, options)).rejects.toMatchObject({ code });
  });

  it('a 30 000×30 000 header before decoding any of it', async () => {
    const bytes = await pngHeader(30_000, 30_000);
    const before = process.memoryUsage().rss;
    await expect(load(bytes)).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
  });
});
