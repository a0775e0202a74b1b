/** The score in an image file: one key `assay`, read and written without touching pixels or other metadata. */
import { isDeepStrictEqual } from 'node:util';
import { AssayError, fail, reasonOf } from '../../errors/error.ts';
import { refuse, startsWith } from './bytes.ts';
import { readJpeg, writeJpeg } from './jpeg.ts';
import { readPng, SIGNATURE, writePng } from './png.ts';
import { MAX_TEXT, parseRecord, recordSchema, recordText, type ScoreRecord } from './record.ts';
import { readWebp, writeWebp } from './webp.ts';

export { recordOf, type ScoreRecord } from './record.ts';

/** A format that can keep a score. */
interface Format {
  matches(bytes: Uint8Array): boolean;
  /** Texts under the key. @throws IMAGE_CORRUPT */
  read(bytes: Uint8Array): string[];
  /** @throws IMAGE_CORRUPT, METADATA_UNWRITABLE */
  write(bytes: Uint8Array, text: string): Uint8Array;
}

const FORMATS: Format[] = [
  { matches: (bytes) => startsWith(bytes, SIGNATURE), read: readPng, write: writePng },
  { matches: (bytes) => startsWith(bytes, '\xff\xd8\xff'), read: readJpeg, write: writeJpeg },
  {
    matches: (bytes) => startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8),
    read: readWebp,
    write: writeWebp,
  },
];

function formatOf(bytes: Uint8Array, path: string): Format {
  const found = FORMATS.find((format) => format.matches(bytes));
  if (!found) throw fail('METADATA_UNSUPPORTED', { path });
  return found;
}

const newest = (texts: string[]): ScoreRecord | null =>
  texts.map(parseRecord).findLast((record) => record !== null) ?? null;

/**
 * The score that a file carries; null when it carries none that can be understood.
 *
 * @param path for the message of an error
 * @throws METADATA_UNSUPPORTED, IMAGE_CORRUPT
 */
export const readScore = (bytes: Uint8Array, path = 'the image'): ScoreRecord | null =>
  newest(formatOf(bytes, path).read(bytes));

/** The text to write. A record from elsewhere may hold what JSON cannot, a NaN say. @throws METADATA_UNWRITABLE */
function textOf(record: ScoreRecord): string {
  if (!recordSchema.safeParse(record).success) throw refuse('the score itself is malformed');
  const text = recordText(record);
  if (text.length > MAX_TEXT / 2) throw refuse('the score is longer than 32 KB');
  return text;
}

/** The file must give back what was put in, or something in it misleads our readers. */
function checked(made: Uint8Array, format: Format, text: string): Uint8Array {
  if (!isDeepStrictEqual(newest(format.read(made)), JSON.parse(text)))
    throw refuse('it could not be read back');
  return made;
}

/**
 * The file with the score in it, in place of an older one. All other bytes stay as they are.
 *
 * @param path for the message of an error
 * @throws METADATA_UNSUPPORTED, METADATA_UNWRITABLE
 */
export function writeScore(bytes: Uint8Array, record: ScoreRecord, path = 'the image'): Uint8Array {
  const format = formatOf(bytes, path);
  try {
    const text = textOf(record);
    return checked(format.write(bytes, text), format, text);
  } catch (cause) {
    if (!(cause instanceof AssayError)) throw cause;
    throw fail(
      'METADATA_UNWRITABLE',
      { path, reason: `${cause.details.reason ?? reasonOf(cause)}` },
      { cause },
    );
  }
}
