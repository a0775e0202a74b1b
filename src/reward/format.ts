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
const DNG_VERSION = 0xc612;
const ENTRY_BYTES = 12;

/** Whether a TIFF is a camera's raw file: its first image is a small preview, or not a picture yet. */
export function isCameraRaw(bytes: Uint8Array): boolean {
  const head = headOf(bytes);
  if (head.startsWith('CR', 8)) return true; // Canon's mark
  const entries = [...firstDirectory(bytes)];
  return entries.some(({ tag, value }) => tag === DNG_VERSION || (tag === NEW_SUBFILE_TYPE && value & 1));
}

/** Tags of the first image of a TIFF, with their first 32 bits of value; none of what is no classic TIFF. */
function* firstDirectory(bytes: Uint8Array): Generator<{ tag: number; value: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  if (bytes.length < 8 || view.getUint16(2, little) !== 42) return;
  const first = view.getUint32(4, little) + 2;
  if (first > bytes.length) return;
  const count = Math.min(view.getUint16(first - 2, little), Math.floor((bytes.length - first) / ENTRY_BYTES));
  for (let at = first; at < first + count * ENTRY_BYTES; at += ENTRY_BYTES)
    yield { tag: view.getUint16(at, little), value: view.getUint32(at + 8, little) };
}
