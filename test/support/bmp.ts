/** Writes BMP files, which sharp does not. */
import type { Raw } from './images.ts';

export interface BmpOptions {
  bits: number;
  topDown?: boolean;
  /** Of every pixel; the header then has masks. */
  alpha?: number;
  compression?: number;
  /** Width and height that the header gives. */
  claim?: [number, number];
}

const MASKS = [0xff0000, 0xff00, 0xff, 0xff000000];

/** Grey by index. */
const palette = (): Buffer => Buffer.concat(Array.from({ length: 256 }, (_, i) => Buffer.from([i, i, i, 0])));

function header(width: number, height: number, { bits, alpha, compression = 0 }: BmpOptions): Buffer {
  const masks = alpha !== undefined;
  const size = masks ? 108 : 40;
  const colours = bits === 8 ? palette() : Buffer.alloc(0);
  const bytes = Buffer.alloc(14 + size);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length + colours.length, 10);
  bytes.writeUInt32LE(size, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(bits, 28);
  bytes.writeUInt32LE(masks ? 3 : compression, 30);
  if (masks) for (const [i, mask] of MASKS.entries()) bytes.writeUInt32LE(mask, 54 + 4 * i);
  return Buffer.concat([bytes, colours]);
}

function row({ data, width }: Raw, y: number, { bits, alpha = 0 }: BmpOptions): Buffer {
  const pixels = Array.from({ length: width }, (_, x) => {
    const [r, g, b] = data.subarray((y * width + x) * 3) as unknown as [number, number, number];
    return bits === 8 ? [r] : [b, g, r, alpha].slice(0, bits / 8);
  }).flat();
  return Buffer.concat([
    Buffer.from(pixels),
    Buffer.alloc(Math.ceil((width * bits) / 32) * 4 - pixels.length),
  ]);
}

/** 8, 16 (nonsense), 24 or 32 bits a pixel; 8 bits are the red channel as grey. */
export function bmp(image: Raw, options: BmpOptions): Buffer {
  const { width, height } = image;
  const { topDown = false, claim = [width, topDown ? -height : height] } = options;
  const rows = Array.from({ length: height }, (_, i) => row(image, topDown ? i : height - 1 - i, options));
  return Buffer.concat([header(...claim, options), ...rows]);
}
