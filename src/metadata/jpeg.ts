/** JPEG: an XMP property, in the APP1 segment that holds the XMP packet. */
import { corrupt, latin1, MAX_PARTS, refuse, splice, startsWith, tooManyParts, viewOf } from './bytes.ts';
import type { Parts } from './texts.ts';
import { packetWith, textsIn } from './xmp.ts';

const XMP = 'http://ns.adobe.com/xap/1.0/\0';
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP2 = 0xe2;
const END = 0xd9;
const SCAN = 0xda;
/** A segment's length is 16 bits and counts itself. */
const MAX_SEGMENT = 0xffff - 2;

/** A segment from its marker at `start` to behind its payload at `end`. */
interface Segment {
  marker: number;
  start: number;
  end: number;
  data: Uint8Array;
}

/** Markers without a payload. */
const standsAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);

/** Where the next marker with a payload stands; fill bytes may come before any marker. @throws IMAGE_CORRUPT */
function markerAt(bytes: Uint8Array, from: number): number {
  for (let at = from; bytes[at] === 0xff; at++) {
    const marker = bytes[at + 1];
    if (marker === undefined) break;
    if (standsAlone(marker)) at++;
    else if (marker !== 0xff) return at;
  }
  throw corrupt(`the JPEG has no marker at byte ${from}`);
}

/** The segments before the pixels, and the first one of these. @throws IMAGE_CORRUPT */
function* segmentsOf(bytes: Uint8Array): Generator<Segment> {
  const view = viewOf(bytes);
  let from = 2;
  for (let count = 0; count < MAX_PARTS; count++) {
    const start = markerAt(bytes, from);
    const marker = bytes[start + 1]!;
    if (marker === 0 || marker === END || start + 4 > bytes.length) throw corrupt('the JPEG has no pixels');
    const size = view.getUint16(start + 2);
    const end = start + 2 + size;
    if (size < 2 || end > bytes.length) throw corrupt(`the JPEG segment at byte ${start} has a wrong length`);
    yield { marker, start, end, data: bytes.subarray(start + 4, end) };
    if (marker === SCAN) return;
    from = end;
  }
  throw tooManyParts();
}

const isXmp = ({ marker, data }: Segment): boolean => marker === APP1 && startsWith(data, XMP);
const packetOf = ({ data }: Segment): Uint8Array => data.subarray(XMP.length);

/** Texts under the key in the first XMP packet, the only one there should be. @throws IMAGE_CORRUPT */
export function readJpeg(bytes: Uint8Array): string[] {
  const found = [...segmentsOf(bytes)].find(isXmp);
  return found ? textsIn(packetOf(found)) : [];
}

const COMMENT = 0xfe;
const EXIF = 'Exif\0\0';

/** EXIF, XMP packets and comments; of a damaged file those before the damage. */
export function jpegParts(bytes: Uint8Array): Required<Parts> {
  const parts: Required<Parts> = { exif: [], xmp: [], comments: [], isCut: false };
  try {
    for (const segment of segmentsOf(bytes)) {
      if (isXmp(segment)) parts.xmp.push(packetOf(segment));
      else if (segment.marker === APP1 && startsWith(segment.data, EXIF)) parts.exif.push(segment.data);
      else if (segment.marker === COMMENT) parts.comments.push(segment.data);
    }
  } catch {
    parts.isCut = true; // what was found before counts
  }
  return parts;
}

function xmpSegment(packet: Uint8Array): Uint8Array {
  const size = XMP.length + packet.length;
  if (size > MAX_SEGMENT) throw refuse('its XMP would be larger than the 64 KB that JPEG has room for');
  const head = Buffer.from([0xff, APP1, 0, 0]);
  head.writeUInt16BE(size + 2, 2);
  return Buffer.concat([head, latin1(XMP), packet]);
}

/** Where a first XMP segment goes: behind JFIF and EXIF, which must come first. */
function placeOf(segments: Segment[]): { start: number; end: number } {
  const after = segments.findIndex(({ marker }) => marker !== APP0 && marker !== APP1);
  const at = segments[after - 1]?.end ?? 2;
  return { start: at, end: at };
}

/** A multi-picture index counts bytes from its own place: what grows behind it would make it wrong. */
function checkIndex(segments: Segment[], at: number): void {
  const isIndex = ({ marker, data }: Segment) => marker === APP2 && startsWith(data, 'MPF\0');
  if (segments.some((s) => isIndex(s) && s.start < at))
    throw refuse('an index of several pictures stands before its XMP');
}

const END_OF_IMAGE = Uint8Array.of(0xff, END);

/** @throws IMAGE_CORRUPT, METADATA_UNWRITABLE */
export function writeJpeg(bytes: Uint8Array, text: string): Uint8Array {
  const segments = [...segmentsOf(bytes)];
  const scan = segments.at(-1)!;
  if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).lastIndexOf(END_OF_IMAGE) < scan.end)
    throw corrupt('the JPEG ends before its pixels do');
  const [old, ...more] = segments.filter(isXmp);
  if (more.length > 0) throw refuse('it has several XMP packets');
  const { start, end } = old ?? placeOf(segments);
  checkIndex(segments, start);
  const packet = packetWith(old ? packetOf(old) : null, text);
  return splice(bytes, [{ start, end, bytes: xmpSegment(packet) }]);
}
