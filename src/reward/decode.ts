/**
 * 3 decode: bytes or raw RGB to pixels. The only file that knows sharp, which decodes and resizes in its own threads.
 * Size limits are checked on the header, before any pixel is decoded.
 */
import sharp from 'sharp';
import { fail, reasonOf } from '../errors.ts';
import type { ImageInput, Pixels } from '../types.ts';

/** Images with a shorter side carry nothing to judge. */
const MIN_SIDE = 8;

export interface DecodeOptions {
  maxImageBytes: number;
  maxPixels: number;
  maxSide: number;
  /** Colour laid under transparent pixels, `#rrggbb`. */
  background: string;
}

// One libvips thread an image: images are many, and libuv runs several of them side by side.
const configure = (() => {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    sharp.concurrency(1);
    sharp.cache(false);
  };
})();

const startsWith = (bytes: Uint8Array, text: string, at = 0): boolean =>
  Array.from(text).every((c, i) => bytes[at + i] === c.charCodeAt(0));

type Format = 'png' | 'jpeg' | 'gif' | 'webp' | 'avif';

/** The format by its magic number. Formats outside the list never reach a decoder. */
function sniff(bytes: Uint8Array): Format | undefined {
  if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return 'png';
  if (startsWith(bytes, '\xff\xd8\xff')) return 'jpeg';
  if (startsWith(bytes, 'GIF8')) return 'gif';
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return 'webp';
  if (startsWith(bytes, 'ftypavi', 4) || (startsWith(bytes, 'ftypmif1', 4) && hasBrand(bytes, 'avif')))
    return 'avif';
  return undefined;
}

const hasBrand = (bytes: Uint8Array, brand: string): boolean =>
  Buffer.from(bytes.subarray(8, 64)).toString('latin1').includes(brand);

/** What unknown bytes look like, for the error message. */
function describe(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, 256)).toString('latin1');
  if (/^\s*<(!doctype html|html)/i.test(head)) return 'it looks like a web page';
  if (/^\s*(<\?xml[^>]*>\s*)?(<!--.*-->\s*)?<svg/is.test(head)) return 'it looks like SVG';
  if (/^(II\*\0|MM\0\*)/.test(head)) return 'it looks like TIFF';
  if (/^[\t\n\r\x20-\x7e]+$/.test(head)) return 'it looks like text';
  return `it begins with ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`;
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

async function decodeEncoded(bytes: Uint8Array, options: DecodeOptions): Promise<Pixels> {
  if (bytes.length === 0) throw fail('IMAGE_EMPTY', {});
  if (bytes.length > options.maxImageBytes)
    throw fail('IMAGE_TOO_HEAVY', { bytes: bytes.length, maxBytes: options.maxImageBytes });
  const format = sniff(bytes);
  if (format === undefined) throw fail('IMAGE_UNSUPPORTED', { found: describe(bytes) });
  const size = format === 'png' ? pngSize(bytes) : undefined;
  if (size) checkSize(...size, options);
  try {
    const image = sharp(bytes, { limitInputPixels: false, failOn: 'error', pages: 1, sequentialRead: true });
    const { width, height } = await image.metadata();
    checkSize(width, height, options);
    const { data, info } = await image
      .autoOrient()
      .flatten({ background: options.background })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { data: toRgb(data, info.channels), width: info.width, height: info.height };
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'AssayError') throw cause;
    throw fail('IMAGE_CORRUPT', { reason: reasonOf(cause).split('\n')[0]! }, { cause });
  }
}

/** Grey (1 channel) becomes RGB; 3 channels stay as they are. */
function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) rgb.fill(data[i * channels]!, i * 3, i * 3 + 3);
  return rgb;
}

async function decodeRaw(
  image: Extract<ImageInput, { kind: 'raw' }>,
  options: DecodeOptions,
): Promise<Pixels> {
  const { format, width, height, bytes } = image;
  checkSize(width, height, options);
  const channels = format === 'rgb8' ? 3 : 4;
  const expected = width * height * channels;
  if (bytes.length !== expected)
    throw fail('RAW_SIZE_MISMATCH', { format, width, height, expected, found: bytes.length });
  if (format === 'rgb8') return { data: bytes, width, height };
  const raw = { width, height, channels: 4 as const };
  const data = await sharp(bytes, { raw }).flatten({ background: options.background }).raw().toBuffer();
  return { data, width, height };
}

/**
 * Decodes one image to interleaved 8-bit sRGB: first frame, EXIF orientation applied, alpha over the background,
 * 16-bit scaled to 8, CMYK and grey converted.
 *
 * @throws IMAGE_EMPTY, IMAGE_TOO_HEAVY, IMAGE_UNSUPPORTED, IMAGE_TOO_SMALL, IMAGE_TOO_LARGE, IMAGE_CORRUPT, RAW_SIZE_MISMATCH
 */
export async function decode(image: ImageInput, options: DecodeOptions): Promise<Pixels> {
  configure();
  return image.kind === 'raw' ? decodeRaw(image, options) : decodeEncoded(image.bytes, options);
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
  return sharp(pixels.data, { raw, limitInputPixels: false })
    .resize(to.width, to.height, { fit, kernel: to.kernel, background: '#000000' })
    .raw()
    .toBuffer();
}

/** A WebP of a few kilobytes with sides of at most `maxSide`, for people to look at. */
export function thumbnail({ data, width, height }: Pixels, maxSide: number): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .resize(maxSide, maxSide, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 60 })
    .toBuffer();
}
