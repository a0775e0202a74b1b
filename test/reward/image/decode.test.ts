import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decode } from '../../../src/reward/image/decode.ts';
import type { ImageInput } from '../../../src/types/image.ts';
import { bmp } from '../../support/bmp.ts';
import {
  cmykJpeg,
  flat,
  jpeg,
  picture,
  png,
  pngHeader,
  type Raw,
  rgb,
  toSharp,
} from '../../support/images.ts';
import { type Tiff, tiff } from '../../support/tiff.ts';

const options = { maxImageBytes: 1_000_000, maxPixels: 1_000_000, maxSide: 4096, background: '#ffffff' };
const encoded = (bytes: Uint8Array): ImageInput => ({ kind: 'encoded', bytes });
const load = (bytes: Uint8Array) => decode(encoded(bytes), options);

function largestDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
}

/** A file of the ISO media formats that ends after its brands. */
const isoMedia = (major: string, compatible: string): Buffer =>
  Buffer.from(`\0\0\0\x18ftyp${major}\0\0\0\0${compatible}\0\0\0\0`, 'latin1');

/** A TIFF that says that its first image is a preview, as cameras write it. */
async function cameraRaw(): Promise<Buffer> {
  const bytes = await toSharp(picture(32, 32)).tiff({ compression: 'none' }).toBuffer();
  const first = bytes.readUInt32LE(4) + 2;
  const entries = Array.from({ length: bytes.readUInt16LE(first - 2) }, (_, i) => first + 12 * i);
  const unused = entries.find((at) => bytes.readUInt16LE(at) === 274)!; // the orientation
  bytes.writeUInt16LE(254, unused);
  bytes.writeUInt16LE(4, unused + 2);
  bytes.writeUInt32LE(1, unused + 8);
  return bytes;
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

  const grey = {
    side: 16,
    bits: 8,
    channels: 1,
    sampleFormat: 1,
    photometric: 1,
    data: Buffer.alloc(256, 60),
  };
  const colour = { ...grey, channels: 3, photometric: 2, data: Buffer.alloc(768, 60) };
  const float = { bits: 32, sampleFormat: 3 };
  const halves = (count: number) => ({
    ...float,
    data: Buffer.from(new Float32Array(count).fill(0.5).buffer),
  });

  it.each<[string, Tiff, number]>([
    ['black at 0', grey, 60],
    ['white at 0', { ...grey, photometric: 0 }, 195],
    ['RGB', colour, 60],
    ['RGB in BigTIFF', { ...colour, big: true }, 60],
    ['16 bits', { ...grey, bits: 16, data: Buffer.alloc(512, 60) }, 60],
  ])('reads a TIFF with %s', async (_name, image, expected) => {
    const pixels = await load(tiff(image));
    expect(Math.abs(pixels.data[100]! - expected)).toBeLessThanOrEqual(1);
  });

  it.each<[string, Tiff, RegExp]>([
    ['grey floating point', { ...grey, ...halves(256) }, /its pixels are of type float/],
    ['floating-point RGB', { ...colour, ...halves(768) }, /its pixels are of type float/],
    ['signed bytes', { ...grey, sampleFormat: 2 }, /its pixels are of type char/],
    [
      '32-bit whole numbers',
      { ...grey, bits: 32, data: Buffer.alloc(1024, 60) },
      /its pixels are of type uint/,
    ],
    ['YCbCr', { ...colour, photometric: 6 }, /YCbCr without JPEG/],
    ['YCbCr in BigTIFF', { ...colour, photometric: 6, big: true }, /YCbCr without JPEG/],
    ['ICC Lab', { ...colour, photometric: 9 }, /colours of kind 9/],
    ['a sensor mosaic', { ...grey, photometric: 32803 }, /colours of kind 32803/],
  ])('refuses a TIFF with %s, whose colours it would get wrong', async (_name, image, message) => {
    await expect(load(tiff(image))).rejects.toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      message: expect.stringMatching(message),
    });
  });

  it('reads a TIFF with JPEG compression', async () => {
    const pixels = await load(await toSharp(source).tiff({ compression: 'jpeg', quality: 95 }).toBuffer());
    expect(largestDifference(pixels.data, source.data)).toBeLessThanOrEqual(40);
  });

  it('tells that an animated PNG has further frames', async () => {
    const still = await png(source);
    const control = Buffer.from('\0\0\0\x08acTL\0\0\0\x02\0\0\0\0\xf3\x8d\x93\x70', 'latin1');
    const headEnd = 33;
    const animated = Buffer.concat([still.subarray(0, headEnd), control, still.subarray(headEnd)]);
    expect((await load(animated)).notes).toEqual(['the first of 2 frames or pages was judged']);
    expect((await load(still)).notes).toBeUndefined();
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

describe('decode reads', () => {
  const source = picture(97, 64); // rows that need padding
  const grey: Raw = { ...source, data: source.data.map((_, i) => source.data[i - (i % 3)]!) };

  it.each<[string, Buffer, Raw]>([
    ['24 bits', bmp(source, { bits: 24 }), source],
    ['24 bits from the top down', bmp(source, { bits: 24, topDown: true }), source],
    ['32 bits, of which the last 8 mean nothing', bmp(source, { bits: 32 }), source],
    ['32 bits with opaque alpha', bmp(source, { bits: 32, alpha: 255 }), source],
    ['32 bits with transparent alpha', bmp(source, { bits: 32, alpha: 0 }), flat([255, 255, 255], 97)],
    ['8 bits and a palette', bmp(grey, { bits: 8 }), grey],
  ])('BMP of %s', async (_, bytes, expected) => {
    const pixels = await load(bytes);
    expect([pixels.width, pixels.height]).toEqual([97, 64]);
    expect(Buffer.compare(pixels.data, expected.data.subarray(0, 97 * 64 * 3))).toBe(0);
  });

  it.each<[string, (image: Sharp) => Sharp]>([
    ['TIFF', (image) => image.tiff({ compression: 'none' })],
    ['TIFF with LZW and a predictor', (image) => image.tiff({ compression: 'lzw', predictor: 'horizontal' })],
    [
      'TIFF in tiles',
      (image) => image.tiff({ compression: 'deflate', tile: true, tileWidth: 32, tileHeight: 32 }),
    ],
    ['TIFF of 16 bits', (image) => image.toColourspace('rgb16').tiff({ compression: 'none' })],
    ['TIFF with opaque alpha', (image) => image.ensureAlpha(1).tiff({ compression: 'none' })],
    ['PNG of 16 bits', (image) => image.toColourspace('rgb16').png()],
    ['PNG of 16 bits with opaque alpha', (image) => image.ensureAlpha(1).toColourspace('rgb16').png()],
  ])('%s as it was', async (_, encode) => {
    const pixels = await load(await encode(toSharp(source)).toBuffer());
    expect(largestDifference(pixels.data, source.data)).toBeLessThanOrEqual(1);
  });

  it('transparency of 16 bits, of grey and of TIFF over the background', async () => {
    const clear = toSharp(source).ensureAlpha(0);
    for (const image of [
      clear.clone().toColourspace('rgb16').png(),
      clear.clone().toColourspace('b-w').png(),
      clear.clone().tiff({ compression: 'none' }),
    ]) {
      const pixels = await load(await image.toBuffer());
      expect(pixels.data.length).toBe(97 * 64 * 3);
      expect(pixelAt(pixels, 40, 40)).toEqual([255, 255, 255]);
    }
  });

  it('the orientation of a TIFF, and its inks', async () => {
    const half = rgb(40, 20, (x) => (x < 20 ? [255, 255, 255] : [0, 0, 0]));
    const turned = await load(await toSharp(half).withMetadata({ orientation: 6 }).tiff().toBuffer());
    expect([turned.width, turned.height]).toEqual([20, 40]);
    expect(pixelAt(turned, 10, 2)[0]).toBeGreaterThan(240);
    const inks = await load(
      await toSharp(source).toColourspace('cmyk').tiff({ compression: 'none' }).toBuffer(),
    );
    const mean = (data: Uint8Array) => data.reduce((sum, value) => sum + value, 0) / data.length;
    expect(Math.abs(mean(inks.data) - mean(source.data))).toBeLessThan(20);
  });

  it('colours by the profile of the file', async () => {
    const red = await toSharp(flat([200, 60, 60], 32))
      .withIccProfile('p3')
      .png()
      .toBuffer();
    const [r, g, b] = pixelAt(await load(red), 5, 5);
    for (const [found, expected] of [
      [r, 200],
      [g, 60],
      [b, 60],
    ])
      expect(Math.abs(found! - expected!)).toBeLessThan(4);
  });

  it('the first of several pages, and says so', async () => {
    const pages = [flat([200, 0, 0], 16), flat([0, 0, 200], 16)].map((f) => f.data);
    const strip = { raw: { width: 16, height: 32, channels: 3 as const, pageHeight: 16 } };
    for (const bytes of [
      await sharp(Buffer.concat(pages), strip).tiff({ compression: 'none' }).toBuffer(),
      await sharp(Buffer.concat(pages), strip).gif().toBuffer(),
      await sharp(Buffer.concat(pages), strip).webp().toBuffer(),
    ]) {
      const pixels = await load(bytes);
      expect([pixels.width, pixels.height]).toEqual([16, 16]);
      expect(pixelAt(pixels, 8, 8)[0]).toBeGreaterThan(180);
      expect(pixels.notes).toEqual(['the first of 2 frames or pages was judged']);
    }
    expect((await load(await png(source))).notes).toBeUndefined();
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
    [
      'HEIC',
      () => isoMedia('heic', 'mif1heic'),
      'IMAGE_UNSUPPORTED',
      /a HEIC file, for which there is no decoder/,
    ],
    ['HEIC by its compatible brands', () => isoMedia('mif1', 'miafheic'), 'IMAGE_UNSUPPORTED', /HEIC/],
    ['JPEG XL', () => Buffer.from('ff0a7f00', 'hex'), 'IMAGE_UNSUPPORTED', /a JPEG XL file/],
    [
      'JPEG XL in a container',
      () => Buffer.from('\0\0\0\x0cJXL \r\n\x87\n', 'latin1'),
      'IMAGE_UNSUPPORTED',
      /JPEG XL/,
    ],
    ['a video', () => isoMedia('isom', 'mp42'), 'IMAGE_UNSUPPORTED', /looks like a video/],
    ['a Photoshop document', () => Buffer.from('8BPS\0\x01'), 'IMAGE_UNSUPPORTED', /Photoshop/],
    [
      'a pointer of Git LFS',
      () => Buffer.from('version https://git-lfs.github.com/spec/v1'),
      'IMAGE_UNSUPPORTED',
      /LFS pointer/,
    ],
    ['a camera raw file', cameraRaw, 'IMAGE_UNSUPPORTED', /camera's raw file/],
    [
      'a truncated TIFF',
      () => cut(toSharp(picture()).tiff({ compression: 'none' }).toBuffer()),
      'IMAGE_CORRUPT',
      /cannot be decoded$/,
    ],
    [
      'a truncated BMP',
      () => bmp(picture(32, 32), { bits: 24 }).subarray(0, 2000),
      'IMAGE_CORRUPT',
      /ends too early/,
    ],
    [
      'a BMP of a header alone',
      () => bmp(picture(32, 32), { bits: 24 }).subarray(0, 40),
      'IMAGE_CORRUPT',
      /ends too early/,
    ],
    [
      'a BMP that claims a huge size',
      () => bmp(picture(32, 32), { bits: 24, claim: [20_000, 20_000] }),
      'IMAGE_CORRUPT',
      /ends too early/,
    ],
    [
      'a BMP with a negative width',
      () => bmp(picture(32, 32), { bits: 24, claim: [-32, 32] }),
      'IMAGE_CORRUPT',
      /-32×32/,
    ],
    ['a BMP without rows', () => bmp(picture(32, 32), { bits: 24, claim: [32, 0] }), 'IMAGE_CORRUPT', /32×0/],
    [
      'a compressed BMP',
      () => bmp(picture(32, 32), { bits: 8, compression: 1 }),
      'IMAGE_UNSUPPORTED',
      /compression 1/,
    ],
    ['a BMP of 16 bits', () => bmp(picture(32, 32), { bits: 16 }), 'IMAGE_UNSUPPORTED', /16 bits a pixel/],
    ['a truncated PNG', () => cut(png(picture())), 'IMAGE_CORRUPT', /its PNG data cannot be decoded$/],
    ['a truncated JPEG', () => cut(jpeg(picture())), 'IMAGE_CORRUPT', /its JPEG data cannot be decoded$/],
    [
      'a truncated WebP',
      () => cut(toSharp(picture()).webp().toBuffer()),
      'IMAGE_CORRUPT',
      /its WebP data cannot be decoded$/,
    ],
    [
      'a truncated AVIF',
      () => cut(toSharp(picture()).avif().toBuffer()),
      'IMAGE_CORRUPT',
      /its AVIF data cannot be decoded$/,
    ],
    [
      'a truncated GIF',
      () => cut(toSharp(picture()).gif().toBuffer()),
      'IMAGE_CORRUPT',
      /its GIF data cannot be decoded$/,
    ],
    [
      'a PNG magic and nothing else',
      () => Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      'IMAGE_CORRUPT',
      /cannot be decoded$/,
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
