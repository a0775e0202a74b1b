/** All texts that an image file carries beside its pixels: chunks, EXIF, XMP, comments. Never throws. */
import { MOST_BYTES, startsWith } from './bytes.ts';
import { exifTexts, plainText } from './exif.ts';
import { CUT, type FileText, unread } from './file-text.ts';
import { gifParts, isGif } from './gif.ts';
import { heifItems, isHeif } from './heif.ts';
import { jpegParts } from './jpeg.ts';
import { pngTexts, SIGNATURE } from './png.ts';
import { webpParts } from './webp.ts';
import { describedIn } from './xmp.ts';

/** A bare stream, and one in a container. */
const JXL = ['\xff\x0a', '\0\0\0\x0cJXL '];

/** Texts of one file. */
const MOST_TEXTS = 64;

/** What formats other than PNG hold: EXIF, XMP packets, comments. */
export interface Parts {
  exif: Uint8Array[];
  xmp: Uint8Array[];
  comments?: Uint8Array[];
  /** What comes behind some damage was not looked at. */
  isCut?: boolean;
}

function fromParts({ exif, xmp, comments = [], isCut }: Parts): FileText[] {
  return [
    ...exif.flatMap(exifTexts),
    ...comments.map((data) => ({ place: 'comment', key: 'Comment', text: plainText(data) })),
    ...xmp.flatMap((packet) => describedIn(packet)),
    ...(isCut ? [CUT] : []),
  ];
}

function read(bytes: Uint8Array): FileText[] {
  if (startsWith(bytes, SIGNATURE)) return pngTexts(bytes);
  if (startsWith(bytes, '\xff\xd8\xff')) return fromParts(jpegParts(bytes));
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return fromParts(webpParts(bytes));
  if (isHeif(bytes)) return fromParts(heifItems(bytes));
  if (isGif(bytes)) return fromParts(gifParts(bytes));
  if (JXL.some((start) => startsWith(bytes, start))) return [unread('JPEG XL', 'is not looked through')];
  return exifTexts(bytes); // TIFF
}

/** In the order of the file, up to what can be looked through at once. */
export function textsOf(bytes: Uint8Array): FileText[] {
  let left = 2 * MOST_BYTES;
  const fitting = (found: FileText): FileText => {
    left -= found.text.length;
    return found.text.length <= MOST_BYTES && left >= 0
      ? found
      : unread(found.place, 'is too long to be read');
  };
  try {
    return read(bytes).slice(0, MOST_TEXTS).map(fitting);
  } catch {
    return [CUT];
  }
}

/** How files of image formats begin, whether or not their texts can be read. */
const BEGINNINGS = [SIGNATURE, '\xff\xd8\xff', 'GIF8', 'BM', 'II*\0', 'MM\0*', ...JXL];

export const isImageFile = (bytes: Uint8Array): boolean =>
  BEGINNINGS.some((start) => startsWith(bytes, start)) ||
  (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) ||
  isHeif(bytes);
