/** What the bytes of an image file are, by their magic numbers: formats that are decoded, and words for the others. */
export type Format = 'png' | 'jpeg' | 'gif' | 'webp' | 'avif' | 'tiff' | 'bmp' | 'heic' | 'jxl';

/** Formats that some builds of libvips decode, with what to call them where this one does not. */
export const OPTIONAL = { heic: 'HEIC', jxl: 'JPEG XL' } as const satisfies Partial<Record<Format, string>>;

const HEAD_BYTES = 256;

interface Kind {
  format: Format;
  is: (head: string) => boolean;
}

/** Major and compatible brands of the ISO media formats. */
const brands = (head: string): string => (head.startsWith('ftyp', 4) ? head.slice(8, 64) : '');

const TIFF = ['II*\0', 'MM\0*', 'II+\0\x08\0', 'MM\0+\0\x08'];
const JXL = ['\xff\x0a', '\0\0\0\x0cJXL \r\n\x87\n'];
const startsWithAny = (head: string, magics: string[]): boolean => magics.some((m) => head.startsWith(m));

const KINDS: Kind[] = [
  { format: 'png', is: (h) => h.startsWith('\x89PNG\r\n\x1a\n') },
  { format: 'jpeg', is: (h) => h.startsWith('\xff\xd8\xff') },
  { format: 'gif', is: (h) => h.startsWith('GIF8') },
  { format: 'webp', is: (h) => h.startsWith('RIFF') && h.startsWith('WEBP', 8) },
  { format: 'avif', is: (h) => /avi[fs]/.test(brands(h)) },
  { format: 'heic', is: (h) => /^(hei[cxms]|hev[cxms]|mif1|msf1)/.test(brands(h)) },
  { format: 'jxl', is: (h) => startsWithAny(h, JXL) },
  { format: 'tiff', is: (h) => startsWithAny(h, TIFF) },
  { format: 'bmp', is: (h) => h.startsWith('BM') && h.startsWith('\0\0\0\0', 6) },
];

/** What else is sent in place of an image, by how it begins. */
const OTHERS: [beginning: string | RegExp, words: string][] = [
  [/^\s*<(!doctype html|html)/i, 'it looks like a web page'],
  [/^\s*(<\?xml[^>]*>\s*)?(<!--.*-->\s*)?<svg/is, 'it looks like SVG'],
  ['version https://git-lfs', 'it is a Git LFS pointer, not the file itself'],
  ['8BPS', 'it looks like a Photoshop document'],
  ['\0\0\0\x0cjP  ', 'it looks like JPEG 2000'],
  ['\xff\x4f\xff\x51', 'it looks like JPEG 2000'],
  ['\x76\x2f\x31\x01', 'it looks like OpenEXR'],
  ['#?RADIANCE', 'it looks like Radiance HDR'],
  [/^P[1-7]\s/, 'it looks like PNM'],
  ['DDS ', 'it looks like DDS'],
  ['\0\0\x01\0', 'it looks like an icon (ICO)'],
  ['qoif', 'it looks like QOI'],
  ['%PDF', 'it looks like PDF'],
  ['PK\x03\x04', 'it looks like a ZIP archive'],
  [/^....ftyp|^RIFF....AVI /s, 'it looks like a video'],
  ['\x1a\x45\xdf\xa3', 'it looks like a video'],
];

const headOf = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, HEAD_BYTES)).toString('latin1');

/** The format by its magic number. Formats outside the list never reach a decoder. */
export function sniff(bytes: Uint8Array): Format | undefined {
  const head = headOf(bytes);
  return KINDS.find(({ is }) => is(head))?.format;
}

/** What unknown bytes look like, for the error message. */
export function describe(bytes: Uint8Array): string {
  const head = headOf(bytes);
  const other = OTHERS.find(([beginning]) =>
    typeof beginning === 'string' ? head.startsWith(beginning) : beginning.test(head),
  );
  if (other) return other[1];
  if (/^[\t\n\r\x20-\x7e]+$/.test(head)) return 'it looks like text';
  return `it begins with ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`;
}

const NEW_SUBFILE_TYPE = 254;
const COMPRESSION = 259;
const PHOTOMETRIC = 262;
const DNG_VERSION = 0xc612;

/** Whether a TIFF is a camera's raw file: its first image is a small preview, or not a picture yet. */
function isCameraRaw(bytes: Uint8Array): boolean {
  if (headOf(bytes).startsWith('CR', 8)) return true; // Canon's mark
  const tags = tiffTags(bytes);
  return tags.has(DNG_VERSION) || ((tags.get(NEW_SUBFILE_TYPE) ?? 0) & 1) === 1;
}

/** Black or white as 0, RGB, palette, CMYK, CIELab: what the decoder converts. */
const PHOTOMETRICS = [0, 1, 2, 3, 5, 8];
const YCBCR = 6;
const JPEG = 7;

/** Why a TIFF would be decoded to other colours than it has; undefined: it would not. */
export function tiffFault(bytes: Uint8Array): string | undefined {
  if (isCameraRaw(bytes)) return "it is a camera's raw file";
  const tags = tiffTags(bytes);
  const photometric = tags.get(PHOTOMETRIC);
  if (photometric === undefined || PHOTOMETRICS.includes(photometric)) return undefined;
  if (photometric !== YCBCR) return `it is a TIFF with colours of kind ${photometric}`;
  return tags.get(COMPRESSION) === JPEG ? undefined : 'it is a TIFF in YCbCr without JPEG compression';
}

/** How directories are laid out in classic TIFF and in BigTIFF. */
const CLASSIC = { pointer: 4, count: 2, entry: 12, value: 8 };
const BIG = { pointer: 8, count: 8, entry: 20, value: 12 };
const SHORT = 3;

/** Tags of the first image of a TIFF with their first value, when that is a whole number of up to 32 bits. */
function tiffTags(bytes: Uint8Array): Map<number, number> {
  const tags = new Map<number, number>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const layout = bytes[2] === 43 || bytes[3] === 43 ? BIG : CLASSIC;
  const whole = (at: number, size: number): number =>
    size === 2
      ? view.getUint16(at, little)
      : size === 4
        ? view.getUint32(at, little)
        : Number(view.getBigUint64(at, little));
  if (bytes.length < 16) return tags;
  const directory = whole(layout.pointer, layout.pointer);
  const first = directory + layout.count;
  if (first > bytes.length) return tags;
  const room = Math.floor((bytes.length - first) / layout.entry);
  const end = first + Math.min(whole(directory, layout.count), room) * layout.entry;
  for (let at = first; at < end; at += layout.entry) {
    const isShort = view.getUint16(at + 2, little) === SHORT;
    tags.set(view.getUint16(at, little), whole(at + layout.value, isShort ? 2 : 4));
  }
  return tags;
}

const PNG_SIGNATURE_BYTES = 8;
/** Length, type and checksum of a chunk. */
const CHUNK_BYTES = 12;

/** How many frames an animated PNG has; 1 for every other. */
export function pngFrames(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (
    let at = PNG_SIGNATURE_BYTES;
    at + CHUNK_BYTES <= bytes.length;
    at += CHUNK_BYTES + view.getUint32(at)
  ) {
    const type = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1');
    if (type === 'acTL') return view.getUint32(at + 8);
    if (type === 'IDAT') return 1;
  }
  return 1;
}
