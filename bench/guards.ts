/**
 * Guards on a folder of good pictures: how many they flag wrongly, and whether they catch what is made bad.
 *
 * npm run guards -- DIR [--list]
 */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expandImages } from '../src/cli/input/images.ts';
import { decode } from '../src/reward/image/decode.ts';
import { inspect } from '../src/reward/image/guards.ts';
import { type RawImage, wrongOrder } from '../src/reward/image/pixel-order.ts';
import type { Pixels } from '../src/types/image.ts';

const DOMAIN = { minSide: 64, maxAspectRatio: 4 };
const LIMITS = { maxImageBytes: 2 ** 30, maxPixels: 1e9, maxSide: 65_535, background: '#ffffff' };

const [folder, option] = process.argv.slice(2);
if (!folder) throw new Error('usage: npm run guards -- DIR [--list]');

const load = (bytes: Uint8Array): Promise<Pixels> => decode({ kind: 'encoded', bytes }, LIMITS);
const guardsOf = (pixels: Pixels): string[] => inspect(pixels, DOMAIN).map((f) => f.guard);

/** Each picture cut short as decoders show it: the lower part filled. */
function cutShort({ data, width, height }: Pixels, fill: number): Pixels {
  const cut = Uint8Array.from(data);
  cut.fill(fill, Math.floor(height * 0.75) * width * 3);
  return { data: cut, width, height };
}

/** The upper three quarters as raw pixels: width and height differ. */
function asRaw({ data, width, height }: Pixels): RawImage {
  const rows = Math.floor(height * 0.75);
  return { format: 'rgb8', width, height: rows, bytes: data.subarray(0, rows * width * 3) };
}

/** One plane a channel. */
function inPlanes({ bytes, ...rest }: RawImage): RawImage {
  const area = rest.width * rest.height;
  return { ...rest, bytes: bytes.map((_, i) => bytes[(i % area) * 3 + Math.floor(i / area)]!) };
}

/** One row a channel. */
function inRowsOfPlanes({ bytes, ...rest }: RawImage): RawImage {
  const { width } = rest;
  const from = (i: number) => {
    const row = Math.floor(i / width);
    return (Math.floor(row / 3) * width + (i % width)) * 3 + (row % 3);
  };
  return { ...rest, bytes: bytes.map((_, i) => bytes[from(i)]!) };
}

/** Opaque RGBA, cut to the bytes of RGB. */
const withAlpha = ({ bytes, ...rest }: RawImage): RawImage => ({
  ...rest,
  bytes: bytes.map((_, i) => (i % 4 === 3 ? 255 : bytes[(i >> 2) * 3 + (i % 4)]!)),
});

/** Numbers from 0 to 1, cut to as many bytes. */
function asFloats({ bytes, ...rest }: RawImage): RawImage {
  const floats = Float32Array.from(bytes, (value) => value / 255);
  return { ...rest, bytes: new Uint8Array(floats.buffer).subarray(0, bytes.length) };
}

/** Rows with so many black bytes more. */
function padded({ bytes, ...rest }: RawImage, more: number): RawImage {
  const own = 3 * rest.width;
  const row = own + more;
  const from = (i: number) => (i % row < own ? bytes[Math.floor(i / row) * own + (i % row)]! : 0);
  return { ...rest, bytes: bytes.map((_, i) => from(i)) };
}

const swapped = (raw: RawImage): RawImage => ({ ...raw, width: raw.height, height: raw.width });

/** Pixels in random order: the colours of a picture, and none of its structure. */
function scrambled({ data, width, height }: Pixels, seed: number): Pixels {
  const out = Uint8Array.from(data);
  let state = seed;
  for (let i = width * height - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    for (let c = 0; c < 3; c++) [out[i * 3 + c], out[j * 3 + c]] = [out[j * 3 + c]!, out[i * 3 + c]!];
  }
  return { data: out, width, height };
}

/** The file's bytes cut at 60 %: decoding must refuse it. */
async function refusesTruncated(bytes: Buffer): Promise<boolean> {
  const cut = bytes.subarray(0, Math.floor(bytes.length * 0.6));
  return load(cut).then(
    () => false,
    () => true,
  );
}

const { paths } = await expandImages([folder]);
const flagged: string[] = [];
const caught = {
  scrambled: 0,
  cutGrey: 0,
  cutBlack: 0,
  truncatedFile: 0,
  flattened: 0,
  planes: 0,
  swappedSides: 0,
  rowsOfPlanes: 0,
  withAlpha: 0,
  floats: 0,
  paddedBy7: 0,
  paddedBy1: 0,
  paddedByAByte: 0,
};
for (const [i, path] of paths.entries()) {
  const bytes = readFileSync(path);
  const pixels = await load(bytes);
  const guards = guardsOf(pixels);
  if (guards.length > 0) flagged.push(`${path}: ${guards.join(', ')}`);
  const raw = asRaw(pixels);
  const order = wrongOrder(raw);
  if (order) flagged.push(`${path}: ${order}`);
  if (wrongOrder(inPlanes(raw))) caught.planes++;
  if (wrongOrder(swapped(raw))) caught.swappedSides++;
  if (wrongOrder(inRowsOfPlanes(raw))) caught.rowsOfPlanes++;
  if (wrongOrder(withAlpha(raw))) caught.withAlpha++;
  if (wrongOrder(asFloats(raw))) caught.floats++;
  if (wrongOrder(padded(raw, 21))) caught.paddedBy7++;
  if (wrongOrder(padded(raw, 3))) caught.paddedBy1++;
  if (wrongOrder(padded(raw, 1))) caught.paddedByAByte++;
  const { data, width, height } = pixels;
  const mean = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(1, 1)
    .raw()
    .toBuffer();
  const flat = { ...pixels, data: data.map((_, k) => mean[k % 3]!) };
  if (guardsOf(scrambled(pixels, i + 1)).includes('noise')) caught.scrambled++;
  if (guardsOf(cutShort(pixels, 128)).includes('corrupt')) caught.cutGrey++;
  if (guardsOf(cutShort(pixels, 0)).includes('corrupt')) caught.cutBlack++;
  if (guardsOf(flat).includes('blank')) caught.flattened++;
  if (await refusesTruncated(bytes)) caught.truncatedFile++;
}
const share = (n: number): string => `${n} of ${paths.length} (${((n / paths.length) * 100).toFixed(2)} %)`;
console.log(`flagged as they are    ${share(flagged.length)}`);
for (const [what, n] of Object.entries(caught)) console.log(`${what.padEnd(22)} ${share(n)}`);
if (option === '--list') console.log(flagged.join('\n'));
