/** GIF: comments, and the XMP packet that stands bare where blocks are expected. Read only. */
import { corrupt, latin1Text, MAX_PARTS, startsWith, tooManyParts } from './bytes.ts';
import type { Parts } from './texts.ts';

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const COMMENT = 0xfe;
const APPLICATION = 0xff;
/** Signature and the description of the screen. */
const HEADER = 13;
const XMP = '\x0bXMP DataXMP';
/** Behind a packet stand all lengths of a block, so that readers who take it for blocks find their way out. */
const XMP_TAIL = 258;

/** A block from its first length byte at `start` to behind its last one, 0, at `end`. */
interface Block {
  label: number;
  start: number;
  end: number;
}

/** Bytes of the table of colours that the flags announce. */
const coloursIn = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);

/** Behind the pieces that begin at `at`: each has its length before it, and one of length 0 is the last. @throws IMAGE_CORRUPT */
function endOf(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]!;
  if (at >= bytes.length) throw corrupt('the GIF ends in a block');
  return at + 1;
}

/** The extensions, in the order of the file. @throws IMAGE_CORRUPT */
function* extensionsOf(bytes: Uint8Array): Generator<Block> {
  let at = HEADER + coloursIn(bytes[10] ?? 0);
  for (let count = 0; count < MAX_PARTS; count++) {
    const kind = bytes[at];
    if (kind === TRAILER) return;
    if (kind === EXTENSION) {
      const start = at + 2;
      at = endOf(bytes, start);
      yield { label: bytes[start - 1]!, start, end: at };
    } else if (kind === IMAGE) at = endOf(bytes, at + 11 + coloursIn(bytes[at + 9] ?? 0));
    else throw corrupt(`the GIF has no block at byte ${at}`);
  }
  throw tooManyParts();
}

function joined(bytes: Uint8Array, { start, end }: Block): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = start; at < end - 1; at += 1 + bytes[at]!)
    pieces.push(bytes.subarray(at + 1, at + 1 + bytes[at]!));
  return Buffer.concat(pieces);
}

export const isGif = (bytes: Uint8Array): boolean => /^GIF8[79]a$/.test(latin1Text(bytes.subarray(0, 6)));

/** Comments and XMP packets; of a damaged file those before the damage. */
export function gifParts(bytes: Uint8Array): Parts {
  const parts = { exif: [], xmp: [] as Uint8Array[], comments: [] as Uint8Array[] };
  try {
    for (const block of extensionsOf(bytes)) {
      if (block.label === COMMENT) parts.comments.push(joined(bytes, block));
      if (block.label === APPLICATION && startsWith(bytes, XMP, block.start))
        parts.xmp.push(bytes.subarray(block.start + XMP.length, block.end - XMP_TAIL));
    }
  } catch {
    return { ...parts, isCut: true };
  }
  return parts;
}
