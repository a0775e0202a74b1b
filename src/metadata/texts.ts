/** All texts that an image file carries beside its pixels: chunks, EXIF, XMP, comments. Never throws. */
import { startsWith } from './bytes.ts';
import { exifTexts, plainText } from './exif.ts';
import { heifItems, isHeif } from './heif.ts';
import { jpegParts } from './jpeg.ts';
import { pngTexts, SIGNATURE } from './png.ts';
import { webpParts } from './webp.ts';
import { describedIn } from './xmp.ts';

export interface FileText {
  /** For people: `PNG chunk parameters`. */
  place: string;
  /** Name of the chunk, tag or property. */
  key: string;
  text: string;
}

/** Texts of one file. */
const MOST_TEXTS = 64;

/** What formats other than PNG hold: EXIF, XMP packets, comments. */
export interface Parts {
  exif: Uint8Array[];
  xmp: Uint8Array[];
  comments?: Uint8Array[];
}

function fromParts({ exif, xmp, comments = [] }: Parts): FileText[] {
  return [
    ...exif.flatMap(exifTexts),
    ...comments.map((data) => ({ place: 'comment', key: 'Comment', text: plainText(data) })),
    ...xmp.flatMap((packet) => describedIn(packet)),
  ];
}

function read(bytes: Uint8Array): FileText[] {
  if (startsWith(bytes, SIGNATURE)) return pngTexts(bytes);
  if (startsWith(bytes, '\xff\xd8\xff')) return fromParts(jpegParts(bytes));
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return fromParts(webpParts(bytes));
  if (isHeif(bytes)) return fromParts(heifItems(bytes));
  return exifTexts(bytes); // TIFF
}

/** In the order of the file. */
export function textsOf(bytes: Uint8Array): FileText[] {
  try {
    return read(bytes).slice(0, MOST_TEXTS);
  } catch {
    return [];
  }
}
