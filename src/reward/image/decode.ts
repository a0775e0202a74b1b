/**
 * 3 decode: bytes or raw RGB to pixels. The only file that knows sharp, which decodes and resizes in its own threads.
 * Size limits are checked on the header, before any pixel is decoded.
 */
import { fail, reasonOf } from '../../errors/error.ts';
import type { ImageInput, Pixels } from '../../types/image.ts';
import { readBmp, readBmpHeader, UnsupportedBmp } from './bmp.ts';
import { describe, type Format, OPTIONAL, pngFrames, sniff, tiffFault } from './format.ts';

/** Images with a shorter side carry nothing to judge. */
const MIN_SIDE = 8;

export interface DecodeOptions {
  maxImageBytes: number;
  maxPixels: number;
  maxSide: number;
  /** Colour laid under transparent pixels, `#rrggbb`. */
  background: string;
  /** Told how many bytes the pixels will take, before any is decoded, and waited for. */
  admit?: (bytes: number) => Promise<void>;
}

export interface Decoded extends Pixels {
  /** What was left out, for people. */
  notes?: string[];
}

let sharp: typeof import('sharp').default | undefined;

/** Loads the decoder, which takes some 30 ms the first time. */
export async function loadSharp(): Promise<typeof import('sharp').default> {
  if (sharp) return sharp;
  const library = (await import('sharp')).default;
  // One libvips thread an image: images are many, and libuv runs several of them side by side.
  library.concurrency(1);
  library.cache(false);
  sharp = library;
  return library;
}

/** @throws IMAGE_TOO_SMALL, IMAGE_TOO_LARGE */
function checkSize(width: number, height: number, { maxPixels, maxSide }: DecodeOptions): void {
  if (Math.min(width, height) < MIN_SIDE) throw fail('IMAGE_TOO_SMALL', { width, height, minSide: MIN_SIDE });
  if (width * height > maxPixels || Math.max(width, height) > maxSide)
    throw fail('IMAGE_TOO_LARGE', { width, height, maxPixels, maxSide });
}

/** Width and height of a PNG by its header, which libpng refuses to give when one of them is 0. */
function pngSize(bytes: Uint8Array): [number, number] | undefined {
  if (bytes.length < 24) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [view.getUint32(16), view.getUint32(20)];
}

async function decodeEncoded(
  bytes: Uint8Array,
  options: DecodeOptions,
  signal?: AbortSignal,
): Promise<Decoded> {
  if (bytes.length === 0) throw fail('IMAGE_EMPTY', {});
  if (bytes.length > options.maxImageBytes)
    throw fail('IMAGE_TOO_HEAVY', { bytes: bytes.length, maxBytes: options.maxImageBytes });
  const format = sniff(bytes);
  if (format === undefined) throw fail('IMAGE_UNSUPPORTED', { found: describe(bytes) });
  const fault = format === 'tiff' ? tiffFault(bytes) : undefined;
  if (fault !== undefined) throw fail('IMAGE_UNSUPPORTED', { found: fault });
  const size = format === 'png' ? pngSize(bytes) : undefined;
  if (size) checkSize(...size, options);
  try {
    return format === 'bmp'
      ? await decodeBmp(bytes, options, signal)
      : await decodeSharp(bytes, format, options);
  } catch (cause) {
    throw decodeError(format, cause);
  }
}

/** Numbers of which it is known what black and white are; for others, files differ. */
const DEPTHS = ['uchar', 'ushort'];

async function decodeSharp(bytes: Uint8Array, format: Format, options: DecodeOptions): Promise<Decoded> {
  const library = await loadSharp();
  const image = library(bytes, { limitInputPixels: false, failOn: 'error', pages: 1, sequentialRead: true });
  const { width, height, depth, pages = format === 'png' ? pngFrames(bytes) : 1 } = await image.metadata();
  checkSize(width, height, options);
  if (!DEPTHS.includes(depth))
    throw fail('IMAGE_UNSUPPORTED', { found: `its pixels are of type ${depth}, not of 8 or 16 bits from 0` });
  await options.admit?.(width * height * 3);
  const { data, info } = await image
    .autoOrient()
    .flatten({ background: options.background })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const pixels = { data: data as Uint8Array, width: info.width, height: info.height };
  return pages > 1 ? { ...pixels, notes: [`the first of ${pages} frames or pages was judged`] } : pixels;
}

async function decodeBmp(bytes: Uint8Array, options: DecodeOptions, signal?: AbortSignal): Promise<Decoded> {
  const header = readBmpHeader(bytes);
  const { width, height } = header;
  checkSize(width, height, options);
  await options.admit?.(width * height * 3);
  const { data, channels } = await readBmp(bytes, header, signal);
  return { data: channels === 4 ? await overBackground(data, header, options) : data, width, height };
}

/** What a failure of a decoder says to the caller. */
function decodeError(format: Format, cause: unknown): unknown {
  if (cause instanceof Error && (cause.name === 'AssayError' || cause.name === 'AbortError')) return cause;
  if (Object.hasOwn(OPTIONAL, format)) {
    const name = OPTIONAL[format as keyof typeof OPTIONAL];
    return fail(
      'IMAGE_UNSUPPORTED',
      { found: `it is a ${name} file, for which there is no decoder here` },
      { cause },
    );
  }
  if (cause instanceof UnsupportedBmp)
    return fail('IMAGE_UNSUPPORTED', { found: `it is a BMP file with ${cause.message}` }, { cause });
  // What libvips says of one file differs from run to run, by which of its threads speaks first.
  const reason =
    format === 'bmp'
      ? reasonOf(cause)
      : `its ${format === 'webp' ? 'WebP' : format.toUpperCase()} data cannot be decoded`;
  return fail('IMAGE_CORRUPT', { reason }, { cause });
}

/** RGBA to RGB. */
async function overBackground(
  bytes: Uint8Array,
  { width, height }: Pick<Pixels, 'width' | 'height'>,
  { background }: DecodeOptions,
): Promise<Uint8Array> {
  const raw = { width, height, channels: 4 as const };
  const library = await loadSharp();
  return library(bytes, { raw, limitInputPixels: false }).flatten({ background }).raw().toBuffer();
}

type RawInput = Extract<ImageInput, { kind: 'raw' }>;

/** @throws IMAGE_TOO_SMALL, IMAGE_TOO_LARGE, RAW_SIZE_MISMATCH */
function checkRaw({ format, width, height, bytes }: RawInput, options: DecodeOptions): void {
  checkSize(width, height, options);
  const expected = width * height * (format === 'rgb8' ? 3 : 4);
  if (bytes.length !== expected)
    throw fail('RAW_SIZE_MISMATCH', { format, width, height, expected, found: bytes.length });
}

/**
 * Decodes raw rgb8, of which nothing has to be done; undefined for everything else.
 *
 * @throws IMAGE_TOO_SMALL, IMAGE_TOO_LARGE, RAW_SIZE_MISMATCH
 */
export function decodeAtOnce(image: ImageInput, options: DecodeOptions): Decoded | undefined {
  if (image.kind !== 'raw' || image.format !== 'rgb8') return undefined;
  checkRaw(image, options);
  const { bytes, width, height } = image;
  return { data: bytes, width, height };
}

async function decodeRgba(image: RawInput, options: DecodeOptions): Promise<Decoded> {
  checkRaw(image, options);
  const { width, height, bytes } = image;
  await options.admit?.(width * height * 3);
  return { data: await overBackground(bytes, image, options), width, height };
}

/**
 * Decodes one image to interleaved 8-bit sRGB: first frame, EXIF orientation applied, alpha over the background,
 * 16-bit scaled to 8, CMYK and grey converted.
 *
 * @throws IMAGE_EMPTY, IMAGE_TOO_HEAVY, IMAGE_UNSUPPORTED, IMAGE_TOO_SMALL, IMAGE_TOO_LARGE, IMAGE_CORRUPT, RAW_SIZE_MISMATCH
 */
export async function decode(
  image: ImageInput,
  options: DecodeOptions,
  signal?: AbortSignal,
): Promise<Decoded> {
  const done = decodeAtOnce(image, options);
  if (done) return done;
  return image.kind === 'raw' ? decodeRgba(image, options) : decodeEncoded(image.bytes, options, signal);
}

export interface ResizeOptions {
  width: number;
  height: number;
  resize: 'stretch' | 'cover' | 'contain';
  kernel: 'cubic' | 'linear' | 'lanczos3' | 'nearest';
}

/** Resizes to `width × height`, antialiased; the result is always 3 bytes a pixel. */
export async function resize(pixels: Pixels, to: ResizeOptions): Promise<Uint8Array> {
  if (pixels.width === to.width && pixels.height === to.height) return pixels.data;
  const fit = to.resize === 'stretch' ? 'fill' : to.resize;
  const raw = { width: pixels.width, height: pixels.height, channels: 3 as const };
  const library = sharp ?? (await loadSharp()); // at once where it can: see `Steps.ahead`
  return library(pixels.data, { raw, limitInputPixels: false })
    .resize(to.width, to.height, { fit, kernel: to.kernel, background: '#000000' })
    .raw()
    .toBuffer();
}

/** A WebP of a few kilobytes with sides of at most `maxSide`, for people to look at. */
export async function thumbnail({ data, width, height }: Pixels, maxSide: number): Promise<Buffer> {
  const library = await loadSharp();
  return library(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .resize(maxSide, maxSide, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 60 })
    .toBuffer();
}

/** A PNG with sides of at most `maxSide`, to be looked at elsewhere. */
export async function asPng({ data, width, height }: Pixels, maxSide: number): Promise<Buffer> {
  const library = await loadSharp();
  return library(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .resize(maxSide, maxSide, { fit: 'inside', withoutEnlargement: true })
    .png({ compressionLevel: 6 })
    .toBuffer();
}
