/** Texts in EXIF, which is a TIFF file of tags. Damaged ones end the reading, and what was read counts. */
import { latin1Text, startsWith, viewOf } from './bytes.ts';
import type { FileText } from './file-text.ts';

/** Tags that hold text, and where people find it. */
const TEXTS: Record<number, string> = {
  ...{ 270: 'ImageDescription', 271: 'Make', 272: 'Model', 305: 'Software', 37510: 'UserComment' },
  ...{ 40091: 'XPTitle', 40092: 'XPComment', 40095: 'XPSubject' },
};
/** Hosts write texts of theirs into the tags from here down to the model's. */
const FIRST_MAKE = 0x0100;
const EXIF_IFD = 0x8769;
/** How long the shutter was open: the picture is a photograph. */
const EXPOSURE = 0x829a;
const MOST_TAGS = 500;
const MOST_DIRECTORIES = 4;
/** Bytes of one value by its type; index 0 is no type. */
const SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];
const ASCII = 2;
const BYTE = 1;
const UNDEFINED = 7;

interface Tag {
  tag: number;
  type: number;
  data: Uint8Array;
}

/** Texts of a TIFF structure; none of a photograph, whose comments are no prompts. */
export function exifTexts(bytes: Uint8Array): FileText[] {
  const tiff = startsWith(bytes, 'Exif\0\0') ? bytes.subarray(6) : bytes;
  const little = startsWith(tiff, 'II*\0');
  if (!little && !startsWith(tiff, 'MM\0*')) return [];
  const tags = [...tagsOf(tiff, little)];
  if (tags.some(({ tag }) => tag === EXPOSURE)) return [];
  return tags.flatMap((tag) => {
    const key = TEXTS[tag.tag];
    const isHosts = key === undefined && tag.type === ASCII && tag.tag >= FIRST_MAKE && tag.tag < 0x0111;
    if (key === undefined && !isHosts) return [];
    const text = textOf(tag, little);
    return text === '' ? [] : [{ place: `EXIF ${key ?? 'tag'}`, key: key ?? 'Make', text }];
  });
}

/** Tags of the first directories, and of the one that EXIF has for itself. */
function* tagsOf(tiff: Uint8Array, little: boolean): Generator<Tag> {
  const view = viewOf(tiff);
  const places = [tiff.length >= 8 ? view.getUint32(4, little) : 0];
  for (let n = 0; n < places.length && n < MOST_DIRECTORIES; n++)
    for (const at of entriesAt(view, places[n]!, little)) {
      if (view.getUint16(at, little) === EXIF_IFD) places.push(view.getUint32(at + 8, little));
      else yield* tagAt(tiff, view, at, little);
    }
}

/** Where the entries of a directory stand, 12 bytes each. */
function* entriesAt(view: DataView, start: number, little: boolean): Generator<number> {
  if (start === 0 || start + 2 > view.byteLength) return;
  const count = Math.min(view.getUint16(start, little), MOST_TAGS);
  for (let n = 0, at = start + 2; n < count && at + 12 <= view.byteLength; n++, at += 12) yield at;
}

function* tagAt(tiff: Uint8Array, view: DataView, at: number, little: boolean): Generator<Tag> {
  const [tag, type] = [view.getUint16(at, little), view.getUint16(at + 2, little)];
  const size = (SIZES[type] ?? 0) * view.getUint32(at + 4, little);
  const place = size <= 4 ? at + 8 : view.getUint32(at + 8, little);
  if (place + size <= tiff.length) yield { tag, type, data: tiff.subarray(place, place + size) };
}

const withoutNuls = (text: string): string => text.replace(/\0+$/, '');

function textOf({ tag, type, data }: Tag, little: boolean): string {
  if (tag === 0x9286) return userComment(data, little);
  if (type === BYTE) return withoutNuls(utf16(data, true));
  return type === ASCII || type === UNDEFINED ? withoutNuls(plainText(data)) : '';
}

/** Eight bytes name the character set. */
function userComment(data: Uint8Array, little: boolean): string {
  const text = data.subarray(8);
  if (startsWith(data, 'UNICODE\0')) return withoutNuls(wide(text, little));
  if (startsWith(data, 'ASCII\0\0\0') || data.subarray(0, 8).every((byte) => byte === 0))
    return withoutNuls(plainText(text));
  return startsWith(data, 'JIS\0') ? '' : withoutNuls(plainText(data));
}

/** UTF-16 of unknown order: writers do not heed that of the file, so the one that reads better is taken; or UTF-8. */
function wide(data: Uint8Array, little: boolean): string {
  if (startsWith(data, '\xff\xfe')) return utf16(data.subarray(2), true);
  if (startsWith(data, '\xfe\xff')) return utf16(data.subarray(2), false);
  let [low, high] = [0, 0];
  for (let at = 0; at + 1 < data.length && at < 2000; at += 2) {
    if (data[at] === 0) high++;
    if (data[at + 1] === 0) low++;
  }
  const narrow = low + high === 0 && data.length >= FEWEST_NARROW ? utf8(data) : undefined;
  return narrow ?? utf16(data, low === high ? little : low > high);
}

/** Bytes that are hardly valid UTF-8 by chance. */
const FEWEST_NARROW = 8;

export const utf16 = (data: Uint8Array, little: boolean): string =>
  new TextDecoder(little ? 'utf-16le' : 'utf-16be').decode(data);

/** UTF-8 where it is valid, Latin-1 where not: tools write either, whatever the format says. */
export const plainText = (data: Uint8Array): string => utf8(data) ?? latin1Text(data);

function utf8(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch {
    return undefined;
  }
}
