/** PNG: a tEXt chunk with the keyword `assay`. */
import { crc32, inflateSync } from 'node:zlib';
import {
  corrupt,
  type Edit,
  latin1,
  latin1Text,
  MAX_FOUND,
  MAX_PARTS,
  MOST_BYTES,
  splice,
  startsWith,
  tooManyParts,
  viewOf,
} from './bytes.ts';
import { exifTexts, plainText } from './exif.ts';
import { CUT, type FileText, unread } from './file-text.ts';
import { MAX_TEXT } from './record.ts';
import { describedIn } from './xmp.ts';

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

/** Null when it is damaged, or too large. */
function inflate(data: Uint8Array, maxOutputLength = MAX_TEXT): Uint8Array | null {
  try {
    return inflateSync(data, { maxOutputLength });
  } catch {
    return null;
  }
}

/** Bytes of an iTXt chunk's text behind its keyword: flag, method, language, NUL, translated keyword, NUL, text. */
function internationalText(data: Uint8Array, most: number): Uint8Array | null {
  const language = data.indexOf(0, 2);
  const keyword = data.indexOf(0, language + 1);
  if (language < 0 || keyword < 0) return null;
  const text = data.subarray(keyword + 1);
  return data[0] === 1 ? inflate(text, most) : text;
}

/** Bytes of the text that begins behind the keyword. */
function contentOf({ type, data }: Chunk, from: number, most = MAX_TEXT): Uint8Array | null {
  const rest = data.subarray(from);
  if (type === 'iTXt') return internationalText(rest, most);
  return type === 'tEXt' ? rest : inflate(rest.subarray(1), most);
}

function textOf(chunk: Chunk): string | null {
  const content = contentOf(chunk, KEYWORD.length);
  return content && (chunk.type === 'iTXt' ? Buffer.from(content).toString('utf8') : latin1Text(content));
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

/** Bytes of all texts of a file that are unpacked. */
const MOST_UNPACKED = 2 * MOST_BYTES;

/** Texts of all keywords, EXIF and XMP; of a damaged file those before the damage. */
export function pngTexts(bytes: Uint8Array): FileText[] {
  const found: FileText[] = [];
  let missed: FileText | undefined;
  let left = MOST_UNPACKED;
  try {
    for (const chunk of chunksOf(bytes)) {
      if (chunk.type === 'eXIf') found.push(...exifTexts(chunk.data));
      if (!/^(?:tEXt|zTXt|iTXt)$/.test(chunk.type)) continue;
      const end = chunk.data.indexOf(0);
      const content = end < 0 || left <= 0 ? null : contentOf(chunk, end + 1, Math.min(left, MOST_BYTES));
      const key = latin1Text(chunk.data.subarray(0, Math.min(Math.max(end, 0), 80)));
      if (content && content.length <= MOST_BYTES) {
        left -= content.length;
        found.push(...keyed(key, content));
      } else missed = unread(`PNG chunk ${key}`, 'is damaged or too long to be read');
    }
  } catch {
    missed = CUT; // what was found before counts
  }
  return missed ? [...found, missed] : found;
}

function keyed(key: string, content: Uint8Array): FileText[] {
  if (key === 'XML:com.adobe.xmp') return describedIn(content);
  return [{ place: `PNG chunk ${key}`, key, text: plainText(content) }];
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
