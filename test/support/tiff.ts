/** TIFF files for tests, uncompressed, of kinds that sharp does not write. */

export interface Tiff {
  /** Samples as they stand in the file, of a square image. */
  data: Buffer;
  side: number;
  bits: number;
  channels: number;
  /** 1: whole numbers, 2: signed ones, 3: floating point. */
  sampleFormat: number;
  photometric: number;
  /** BigTIFF. */
  big?: boolean;
  compression?: number;
}

const SHORT = 3;
const LONG = 4;

/** Little-endian; every sample has the same number of bits, in a list that stands before the directory. */
export function tiff(image: Tiff): Buffer {
  const { data, side, bits, channels, sampleFormat, photometric, big = false, compression = 1 } = image;
  const head = 16;
  const lists = head + data.length;
  const directory = lists + 16;
  const list = (tag: number, at: number, value: number) =>
    channels === 1
      ? [tag, SHORT, 1, value]
      : big
        ? [tag, SHORT, channels, value, 1]
        : [tag, SHORT, channels, at];
  const entries = [
    [256, LONG, 1, side],
    [257, LONG, 1, side],
    list(258, lists, bits),
    [259, SHORT, 1, compression],
    [262, SHORT, 1, photometric],
    [273, LONG, 1, head],
    [277, SHORT, 1, channels],
    [278, LONG, 1, side],
    [279, LONG, 1, data.length],
    list(339, lists + 8, sampleFormat),
  ];
  const size = big ? 20 : 12;
  const out = Buffer.alloc(directory + 8 + entries.length * size + 8);
  out.write(big ? 'II+\0\x08\0' : 'II*\0', 'latin1');
  if (big) out.writeBigUInt64LE(BigInt(directory), 8);
  else out.writeUInt32LE(directory, 4);
  data.copy(out, head);
  for (let i = 0; i < channels; i++) {
    out.writeUInt16LE(bits, lists + 2 * i);
    out.writeUInt16LE(sampleFormat, lists + 8 + 2 * i);
  }
  if (big) out.writeBigUInt64LE(BigInt(entries.length), directory);
  else out.writeUInt16LE(entries.length, directory);
  entries.forEach(([tag, type, count, value, repeats], i) => {
    const at = directory + (big ? 8 : 2) + i * size;
    out.writeUInt16LE(tag!, at);
    out.writeUInt16LE(type!, at + 2);
    if (big) out.writeBigUInt64LE(BigInt(count!), at + 4);
    else out.writeUInt32LE(count!, at + 4);
    // Lists of up to four shorts stand in the place of a pointer in BigTIFF.
    if (repeats) for (let n = 0; n < count!; n++) out.writeUInt16LE(value!, at + 12 + 2 * n);
    else out.writeUInt32LE(value!, at + (big ? 12 : 8));
  });
  return out;
}
