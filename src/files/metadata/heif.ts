/** AVIF and HEIC: the items that hold EXIF and XMP. */
import { latin1Text, startsWith, viewOf } from './bytes.ts';

interface Box {
  type: string;
  data: Uint8Array;
}

const MOST_BOXES = 1000;
const MOST_ITEMS = 256;

function* boxesIn(bytes: Uint8Array): Generator<Box> {
  const view = viewOf(bytes);
  for (let at = 0, count = 0; at + 8 <= bytes.length && count < MOST_BOXES; count++) {
    const short = view.getUint32(at);
    const isLong = short === 1 && at + 16 <= bytes.length;
    const size = isLong ? Number(view.getBigUint64(at + 8)) : short === 0 ? bytes.length - at : short;
    const head = isLong ? 16 : 8;
    if (size < head || at + size > bytes.length) return;
    yield { type: latin1Text(bytes.subarray(at + 4, at + 8)), data: bytes.subarray(at + head, at + size) };
    at += size;
  }
}

const boxIn = (bytes: Uint8Array, type: string): Uint8Array | undefined => {
  for (const box of boxesIn(bytes)) if (box.type === type) return box.data;
  return undefined;
};

export const isHeif = (bytes: Uint8Array): boolean => startsWith(bytes, 'ftyp', 4);

/** EXIF items and XMP packets of a file, damaged ones left out. */
export function heifItems(bytes: Uint8Array): { exif: Uint8Array[]; xmp: Uint8Array[] } {
  const meta = boxIn(bytes, 'meta')?.subarray(4);
  const kinds = meta && kindsIn(boxIn(meta, 'iinf'));
  const places = meta && placesIn(boxIn(meta, 'iloc'));
  const found = { exif: [] as Uint8Array[], xmp: [] as Uint8Array[] };
  for (const [id, kind] of kinds ?? []) {
    const place = places?.get(id);
    if (!place || place.start + place.size > bytes.length) continue;
    const data = bytes.subarray(place.start, place.start + place.size);
    // Four bytes say where the TIFF header begins behind them.
    if (kind === 'exif')
      found.exif.push(data.subarray(4 + (data.length >= 4 ? viewOf(data).getUint32(0) : 0)));
    else found.xmp.push(data);
  }
  return found;
}

/** Item ids of EXIF and XMP. */
function kindsIn(iinf: Uint8Array | undefined): Map<number, 'exif' | 'xmp'> {
  const kinds = new Map<number, 'exif' | 'xmp'>();
  if (!iinf || iinf.length < 8) return kinds;
  for (const { type, data } of boxesIn(iinf.subarray(iinf[0] === 0 ? 6 : 8))) {
    if (type !== 'infe' || data.length < 12 || kinds.size >= MOST_ITEMS) continue;
    const isWide = data[0] === 3;
    const kind = kindOf(data.subarray(isWide ? 10 : 8));
    if (kind) kinds.set(isWide ? viewOf(data).getUint32(4) : viewOf(data).getUint16(4), kind);
  }
  return kinds;
}

function kindOf(type: Uint8Array): 'exif' | 'xmp' | undefined {
  if (startsWith(type, 'Exif')) return 'exif';
  return startsWith(type, 'mime') && latin1Text(type).includes('application/rdf+xml') ? 'xmp' : undefined;
}

interface Place {
  start: number;
  size: number;
}

/** Sizes of the numbers of a location box, in bytes. */
interface Widths {
  version: number;
  offset: number;
  length: number;
  base: number;
  index: number;
}

/** Where items lie in the file; those in several pieces, or built from others, are left out. */
function placesIn(iloc: Uint8Array | undefined): Map<number, Place> {
  const places = new Map<number, Place>();
  if (!iloc || iloc.length < 8) return places;
  const [version, sizes, more] = [iloc[0]!, iloc[4]!, iloc[5]!];
  const widths = {
    version,
    offset: sizes >> 4,
    length: sizes & 15,
    base: more >> 4,
    index: version > 0 ? more & 15 : 0,
  };
  const read = reader(iloc, 6);
  for (let left = Math.min(read(version < 2 ? 2 : 4), MOST_ITEMS); left > 0 && read.left() > 0; left--) {
    const id = read(version < 2 ? 2 : 4);
    const place = placeOf(read, widths);
    if (place) places.set(id, place);
  }
  return places;
}

function placeOf(read: Reader, { version, offset, length, base, index }: Widths): Place | undefined {
  const method = version > 0 ? read(2) & 15 : 0;
  read(2);
  const start = read(base);
  const extents = read(2);
  let place: Place | undefined;
  for (let n = 0; n < extents && read.left() > 0; n++) {
    read(index);
    place = { start: start + read(offset), size: read(length) };
  }
  return extents === 1 && method === 0 ? place : undefined;
}

interface Reader {
  (size: number): number;
  left(): number;
}

/** Reads big-endian numbers one after another; 0 behind the end. */
function reader(bytes: Uint8Array, from: number): Reader {
  let at = from;
  const read = (size: number): number => {
    let value = 0;
    for (let n = 0; n < size; n++) value = value * 256 + (bytes[at++] ?? 0);
    return value;
  };
  return Object.assign(read, { left: () => bytes.length - at });
}
