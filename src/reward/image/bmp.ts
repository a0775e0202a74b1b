/**
 * BMP, which libvips does not read: uncompressed, 8-bit palette, 24 and 32 bits. Strict: what is odd is refused. The
 * pixels are turned in slices, see `slices.ts`.
 */
import { inSlices } from './slices.ts';

/** What the header says, checked against the size of the file. */
export interface BmpHeader {
  width: number;
  height: number;
  bits: 8 | 24 | 32;
  /** Rows stand from the top down. */
  topDown: boolean;
  /** Byte offset of the first row. */
  start: number;
  /** Bytes from row to row, a multiple of 4. */
  stride: number;
  /** Blue, green, red and nothing, for each index. */
  palette: Uint8Array;
  hasAlpha: boolean;
}

/** Interleaved pixels, row by row from the top. */
export interface BmpPixels {
  data: Uint8Array;
  channels: 3 | 4;
}

const FILE_HEADER = 14;
const SMALLEST_HEADER = 40;
const WITH_MASKS = 108;
const RGB = 0;
const BITFIELDS = 3;
/** The one order of 32-bit masks that is written in practice, which is that of uncompressed pixels. */
const MASKS = [0xff0000, 0xff00, 0xff];

const cut = new Error('the BMP ends too early');

/** @throws Error that names what is not supported or does not fit */
export function readBmpHeader(bytes: Uint8Array): BmpHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FILE_HEADER + SMALLEST_HEADER) throw cut;
  const size = view.getUint32(14, true);
  if (size < SMALLEST_HEADER) throw new UnsupportedBmp('a header of OS/2');
  const [width, signedHeight] = [view.getInt32(18, true), view.getInt32(22, true)];
  const [bits, compression] = [view.getUint16(28, true), view.getUint32(30, true)];
  if (bits !== 8 && bits !== 24 && bits !== 32) throw new UnsupportedBmp(`${bits} bits a pixel`);
  if (compression !== RGB && !(compression === BITFIELDS && bits === 32))
    throw new UnsupportedBmp(`compression ${compression}`);
  if (compression === BITFIELDS) checkMasks(view);
  if (width <= 0 || signedHeight === 0) throw new Error(`the BMP is ${width}×${signedHeight} pixels`);
  const height = Math.abs(signedHeight);
  const stride = Math.ceil((width * bits) / 32) * 4;
  const start = view.getUint32(10, true);
  if (start < FILE_HEADER + size || start + stride * height > bytes.length) throw cut;
  return {
    width,
    height,
    bits,
    topDown: signedHeight < 0,
    start,
    stride,
    palette: bits === 8 ? paletteOf(bytes, view, size, start) : new Uint8Array(),
    hasAlpha: compression === BITFIELDS && size >= WITH_MASKS && view.getUint32(66, true) === 0xff000000,
  };
}

/** Well formed, and of a kind that is not read. */
export class UnsupportedBmp extends Error {}

function checkMasks(view: DataView): void {
  if (view.byteLength < FILE_HEADER + SMALLEST_HEADER + 12) throw cut;
  const masks = [54, 58, 62].map((at) => view.getUint32(at, true));
  if (masks.some((mask, i) => mask !== MASKS[i])) throw new UnsupportedBmp('an order of colours of its own');
}

/** Entries that the file leaves out are black. */
function paletteOf(bytes: Uint8Array, view: DataView, size: number, start: number): Uint8Array {
  const used = view.getUint32(46, true);
  const from = FILE_HEADER + size;
  const end = Math.min(start, from + 4 * Math.min(256, used || 256));
  const palette = new Uint8Array(4 * 256);
  palette.set(bytes.subarray(from, end));
  return palette;
}

const ROWS_AT_ONCE_BYTES = 2 ** 20;

/** The pixels of a BMP whose header was read. @throws the signal's reason */
export async function readBmp(
  bytes: Uint8Array,
  header: BmpHeader,
  signal?: AbortSignal,
): Promise<BmpPixels> {
  const { width, height, topDown, start, stride, hasAlpha } = header;
  const channels = hasAlpha ? 4 : 3;
  const data = new Uint8Array(width * height * channels);
  const rows = Math.max(1, Math.floor(ROWS_AT_ONCE_BYTES / stride));
  const turn = (from: number, to: number): void => {
    for (let y = from; y < to; y++) {
      const at = start + stride * (topDown ? y : height - 1 - y);
      turnRow(bytes, at, header, data, y * width * channels);
    }
  };
  await inSlices(height, rows, turn, signal);
  return { data, channels };
}

/** Blue, green, red to red, green, blue. */
function turnRow(bytes: Uint8Array, at: number, header: BmpHeader, data: Uint8Array, to: number): void {
  const { width, bits, palette, hasAlpha } = header;
  const step = bits / 8;
  const source = bits === 8 ? palette : bytes;
  for (let x = 0, i = at, out = to; x < width; x++, i += step) {
    const from = bits === 8 ? 4 * bytes[i]! : i;
    data[out++] = source[from + 2]!;
    data[out++] = source[from + 1]!;
    data[out++] = source[from]!;
    if (hasAlpha) data[out++] = source[from + 3]!;
  }
}
