/** WebP: an XMP property, in the XMP chunk of the extended format. */
import {
  corrupt,
  type Edit,
  latin1Text,
  MAX_PARTS,
  refuse,
  splice,
  startsWith,
  tooManyParts,
  viewOf,
} from './bytes.ts';
import type { Parts } from './texts.ts';
import { packetWith, textsIn } from './xmp.ts';

/** `RIFF`, size, `WEBP`. */
const HEADER = 12;
const FLAG = { XMP_: 0x04, EXIF: 0x08, ALPHA: 0x10, ICCP: 0x20 } as const;

/** A chunk from its name at `start` to behind its padding at `end`. */
interface Chunk {
  type: string;
  start: number;
  end: number;
  data: Uint8Array;
}

/** Behind the last chunk; what follows is not part of the image. @throws IMAGE_CORRUPT */
function riffEnd(bytes: Uint8Array): number {
  const end = 8 + viewOf(bytes).getUint32(4, true);
  if (end > bytes.length) throw corrupt('the WebP ends before its last chunk does');
  return end;
}

/** @throws IMAGE_CORRUPT */
function* chunksOf(bytes: Uint8Array): Generator<Chunk> {
  const view = viewOf(bytes);
  const last = riffEnd(bytes);
  let start = HEADER;
  for (let count = 0; start < last; count++) {
    if (count === MAX_PARTS) throw tooManyParts();
    const size = start + 8 <= last ? view.getUint32(start + 4, true) : last;
    const end = start + 8 + size + (size % 2);
    if (end > last) throw corrupt(`the WebP chunk at byte ${start} reaches beyond the end`);
    const type = latin1Text(bytes.subarray(start, start + 4));
    yield { type, start, end, data: bytes.subarray(start + 8, start + 8 + size) };
    start = end;
  }
}

const isXmp = ({ type }: Chunk): boolean => type === 'XMP ';

/** Texts under the key in the first XMP packet, the only one there should be. @throws IMAGE_CORRUPT */
export function readWebp(bytes: Uint8Array): string[] {
  const found = [...chunksOf(bytes)].find(isXmp);
  return found ? textsIn(found.data) : [];
}

/** EXIF and XMP packets; of a damaged file those before the damage. */
export function webpParts(bytes: Uint8Array): Parts {
  const parts: Parts = { exif: [], xmp: [] };
  try {
    for (const found of chunksOf(bytes)) {
      if (found.type === 'EXIF') parts.exif.push(found.data);
      if (isXmp(found)) parts.xmp.push(found.data);
    }
  } catch {
    parts.isCut = true; // what was found before counts
  }
  return parts;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const made = Buffer.alloc(8 + data.length + (data.length % 2));
  made.write(type, 'latin1');
  made.writeUInt32LE(data.length, 4);
  made.set(data, 8);
  return made;
}

interface Canvas {
  width: number;
  height: number;
  alpha: boolean;
}

/** Lossy: frame tag of 3 bytes, start code, then 14 bits each of width and height. */
function lossyCanvas(data: Uint8Array): Canvas {
  if (data.length < 10 || !startsWith(data, '\x9d\x01\x2a', 3)) throw corrupt('the VP8 header is damaged');
  const view = viewOf(data);
  const side = (at: number) => view.getUint16(at, true) & 0x3fff;
  return { width: side(6), height: side(8), alpha: false };
}

/** Lossless: signature, then 14 bits each of width and height less one, then a bit for alpha. */
function losslessCanvas(data: Uint8Array): Canvas {
  if (data.length < 5 || data[0] !== 0x2f) throw corrupt('the VP8L header is damaged');
  const bits = viewOf(data).getUint32(1, true);
  const side = (shift: number) => ((bits >>> shift) & 0x3fff) + 1;
  return { width: side(0), height: side(14), alpha: ((bits >>> 28) & 1) === 1 };
}

/** The header chunk that turns a simple file into an extended one. */
function extension(chunks: Chunk[]): Uint8Array {
  const image = chunks.find(({ type }) => type === 'VP8 ' || type === 'VP8L');
  if (!image) throw corrupt('the WebP has no pixels');
  const { width, height, alpha } =
    image.type === 'VP8 ' ? lossyCanvas(image.data) : losslessCanvas(image.data);
  if (width === 0 || height === 0) throw corrupt('the WebP has no size');
  const has = (name: string, flag: number) => (chunks.some(({ type }) => type === name) ? flag : 0);
  const data = Buffer.alloc(10);
  data[0] = FLAG.XMP_ | (alpha ? FLAG.ALPHA : 0) | has('EXIF', FLAG.EXIF) | has('ICCP', FLAG.ICCP);
  data.writeUIntLE(width - 1, 4, 3);
  data.writeUIntLE(height - 1, 7, 3);
  return chunk('VP8X', data);
}

/** Says in the header that there is XMP. */
function announce(chunks: Chunk[]): Edit {
  const first = chunks[0];
  if (first?.type !== 'VP8X') return { start: HEADER, end: HEADER, bytes: extension(chunks) };
  if (first.data.length < 10) throw corrupt('the VP8X header is damaged');
  const flags = Uint8Array.of(first.data[0]! | FLAG.XMP_);
  return { start: first.start + 8, end: first.start + 9, bytes: flags };
}

const isPixels = ({ type }: Chunk): boolean => type === 'VP8 ' || type === 'VP8L' || type === 'ANMF';

/** @throws IMAGE_CORRUPT, METADATA_UNWRITABLE */
export function writeWebp(bytes: Uint8Array, text: string): Uint8Array {
  const chunks = [...chunksOf(bytes)];
  if (!chunks.some(isPixels)) throw corrupt('the WebP has no pixels');
  const [old, ...more] = chunks.filter(isXmp);
  if (more.length > 0) throw refuse('it has several XMP packets');
  const end = riffEnd(bytes);
  const packet = chunk('XMP ', packetWith(old?.data ?? null, text));
  const place = old ?? { start: end, end };
  const made = splice(bytes, [announce(chunks), { start: place.start, end: place.end, bytes: packet }]);
  viewOf(made).setUint32(4, end - 8 + made.length - bytes.length, true);
  return made;
}
