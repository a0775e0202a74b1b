/** What a picture's bytes tell without decoding them. */

const KINDS: readonly (readonly [extension: string, at: number, magic: string])[] = [
  ['png', 1, 'PNG'],
  ['jpg', 0, '\xff\xd8\xff'],
  ['webp', 8, 'WEBP'],
  ['gif', 0, 'GIF8'],
  ['avif', 4, 'ftypavif'],
  ['jxl', 0, '\xff\x0a'],
];

/** The ending for its name; null when the bytes are no picture. */
export function extensionOf(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  return KINDS.find(([, at, magic]) => head.startsWith(magic, at))?.[0] ?? null;
}

/** Where a JPEG says how large it is: a frame, other than tables. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function jpegSize(bytes: Buffer): [number, number] | null {
  for (let at = 2; at + 9 <= bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    if (bytes[at] !== 0xff) return null;
    if (isFrame(bytes[at + 1]!)) return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5)];
  }
  return null;
}

/** Width and height of a PNG or JPEG; null for others. */
export function sizeOf(given: Uint8Array): [width: number, height: number] | null {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  const kind = extensionOf(bytes);
  if (kind === 'png' && bytes.length >= 24) return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  return kind === 'jpg' ? jpegSize(bytes) : null;
}

/** A file keeps its texts before or behind its pixels, in one of these forms; no longer look is worth it. */
const TEXT_BYTES = 2 ** 18;

/** Whether a picture carries that text. */
export function carries(bytes: Uint8Array, text: string): boolean {
  if (text === '') return false;
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places = [all.subarray(0, TEXT_BYTES), all.subarray(-Math.min(all.length, TEXT_BYTES))];
  const wide = Buffer.from(text, 'utf16le');
  const forms = [Buffer.from(text), Buffer.from(text, 'latin1'), wide, Buffer.from(wide).swap16()];
  return places.some((place) => forms.some((form) => place.includes(form)));
}
