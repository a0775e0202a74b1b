/** The text of a file that people made with a spreadsheet, a script or an editor: its encoding is found out. */

export interface Text {
  text: string;
  /** What was guessed, for people. */
  notes: string[];
}

/** Files that are often taken for tables, by their first bytes. */
const OTHERS: [magic: string, what: string][] = [
  ['PK\x03\x04', 'an Excel workbook or another zip archive; save the sheet as CSV'],
  ['\xd0\xcf\x11\xe0', 'an old Excel workbook; save the sheet as CSV'],
  ['PAR1', 'a Parquet file; export it as CSV'],
  ['SQLite format 3', 'a SQLite database; export the table as CSV'],
  ['\x89PNG', 'an image'],
  ['\xff\xd8\xff', 'an image'],
  ['RIFF', 'an image'],
  ['\x1f\x8b', 'compressed with gzip; unpack it'],
];

/** Bytes that are looked at to tell UTF-16 without a byte order mark. */
const SAMPLE = 512;

/** Text in Latin letters has a zero in every second byte of UTF-16, and none in other encodings. */
function utf16ByZeros(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const sample = bytes.subarray(0, SAMPLE);
  const zeros = [0, 0];
  sample.forEach((byte, at) => {
    if (byte === 0) zeros[at % 2]!++;
  });
  const most = sample.length / 4;
  if (zeros[1]! > most && zeros[0] === 0) return 'utf-16le';
  if (zeros[0]! > most && zeros[1] === 0) return 'utf-16be';
  return undefined;
}

function utf16Of(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return utf16ByZeros(bytes);
}

/**
 * Decodes UTF-8 and UTF-16, with or without byte order mark; what is neither is read as Latin letters of Windows.
 *
 * @throws Error saying what the file is instead of text
 */
export function decodeText(bytes: Uint8Array): Text {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  const other = OTHERS.find(([magic]) => head.startsWith(magic));
  if (other) throw new Error(`it is ${other[1]}`);
  const utf16 = utf16Of(bytes);
  if (utf16) return { text: new TextDecoder(utf16).decode(bytes), notes: [] };
  if (bytes.subarray(0, SAMPLE).includes(0)) throw new Error('it is not text');
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), notes: [] };
  } catch {
    const text = new TextDecoder('windows-1252').decode(bytes);
    return { text, notes: ['it is not UTF-8, and was read as Latin-1 (Windows-1252)'] };
  }
}
