/** PNG: a tEXt chunk with the keyword `assay`. */
import { crc32, inflateSync } from 'node:zlib';
import {
  corrupt,
  type Edit,
  latin1,
  latin1Text,
  MAX_FOUND,
  MAX_PARTS,
  splice,
  startsWith,
  tooManyParts,
  viewOf,
} from './bytes.ts';
import { MAX_TEXT } from './record.ts';

export const SIGNATURE = '\x89PNG\r\n\x1a\n';
const KEYWORD = 'assay\0';

/** A chunk from its length field at `start` to behind its checksum at `end`. */
interface Chunk {
  type: string;
  start: number;
  end: number;
  data: Uint8Array;
}

/** The chunks up to IEND; what follows it is nobody's business. @throws IMAGE_CORRUPT */
function* chunksOf(bytes: Uint8Array): Generator<Chunk> {
  const view = viewOf(bytes);
  let start = SIGNATURE.length;
  for (let count = 0; count < MAX_PARTS; count++) {
    if (start + 12 > bytes.length) throw corrupt('the PNG ends before its IEND chunk');
    const end = start + 12 + view.getUint32(start);
    if (end > bytes.length) throw corrupt(`the PNG chunk at byte ${start} reaches beyond the end`);
    const type = latin1Text(bytes.subarray(start + 4, start + 8));
    yield { type, start, end, data: bytes.subarray(start + 8, end - 4) };
    if (type === 'IEND') return;
    start = end;
  }
  throw tooManyParts();
}

const isOurs = ({ type, data }: Chunk): boolean =>
  (type === 'tEXt' || type === 'zTXt' || type === 'iTXt') && startsWith(data, KEYWORD);

/** Null when it is damaged, or larger than any record. */
function inflate(data: Uint8Array): Uint8Array | null {
  try {
    return inflateSync(data, { maxOutputLength: MAX_TEXT });
  } catch {
    return null;
  }
}

/** Text of an iTXt chunk: flag, method, language, NUL, translated keyword, NUL, text. */
function internationalText(data: Uint8Array): string | null {
  const language = data.indexOf(0, KEYWORD.length + 2);
  const keyword = data.indexOf(0, language + 1);
  if (language < 0 || keyword < 0) return null;
  const text = data.subarray(keyword + 1);
  const plain = data[KEYWORD.length] === 1 ? inflate(text) : text;
  return plain && Buffer.from(plain).toString('utf8');
}

function textOf({ type, data }: Chunk): string | null {
  if (type === 'iTXt') return internationalText(data);
  if (type === 'tEXt') return latin1Text(data.subarray(KEYWORD.length));
  const plain = inflate(data.subarray(KEYWORD.length + 1));
  return plain && latin1Text(plain);
}

const isWhole = (bytes: Uint8Array, { start, end }: Chunk): boolean =>
  crc32(bytes.subarray(start + 4, end - 4)) === viewOf(bytes).getUint32(end - 4);

/** Texts under the key, in the order of the file. @throws IMAGE_CORRUPT */
export function readPng(bytes: Uint8Array): string[] {
  const found: string[] = [];
  for (const chunk of chunksOf(bytes)) {
    if (!isOurs(chunk) || found.length >= MAX_FOUND) continue;
    const text = isWhole(bytes, chunk) ? textOf(chunk) : null;
    found.push(text ?? '');
  }
  return found;
}

function textChunk(text: string): Uint8Array {
  const body = latin1(`tEXt${KEYWORD}${text}`);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4);
  chunk.set(body, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

/**
 * Puts an ASCII text under the key in place of older ones. It stands before the pixels, where readers find it without
 * decoding them; before fcTL, because that belongs to the frame that follows.
 *
 * @throws IMAGE_CORRUPT
 */
export function writePng(bytes: Uint8Array, text: string): Uint8Array {
  const edits: Edit[] = [];
  let place: Edit | undefined;
  let pixels = false;
  for (const chunk of chunksOf(bytes)) {
    const { type, start, end } = chunk;
    if (start === SIGNATURE.length && type !== 'IHDR') throw corrupt('the PNG does not begin with IHDR');
    if (isOurs(chunk)) edits.push({ start, end, bytes: new Uint8Array() });
    if (!place && (type === 'IDAT' || type === 'fcTL')) {
      place = { start, end: start, bytes: textChunk(text) };
      edits.push(place);
    }
    pixels ||= type === 'IDAT';
  }
  if (!pixels) throw corrupt('the PNG has no pixels');
  return splice(bytes, edits);
}
