/**
 * Step 1, receive: images as numpy saves them. Its header is read as what it is in such files and nothing else: no
 * Python literal is evaluated, and no pickle is read.
 */
import { type AssayError, fail } from '../../../errors/error.ts';

/** Images of one size, as views of the body. */
export interface NpyImages {
  format: 'rgb8' | 'rgba8';
  width: number;
  height: number;
  images: Uint8Array[];
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
/** Bytes of a header: what numpy writes takes less than 128. */
const MOST_HEADER = 4096;
const PICKLE = 0x80;
const CHANNELS: Record<number, NpyImages['format']> = { 3: 'rgb8', 4: 'rgba8' };

const malformed = (reason: string): AssayError => fail('MALFORMED_BODY', { format: 'NPY', reason });
const unfit = (found: string): AssayError => fail('ARRAY_UNFIT', { found });

/** @throws MALFORMED_BODY, ARRAY_UNFIT */
export function readNpy(bytes: Buffer): NpyImages {
  const { header, start } = headerOf(bytes);
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const shape = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (type === undefined || order === undefined || shape === undefined)
    throw unfit(/'descr':\s*\[/.test(header) ? 'records' : 'its header names no type, order and shape');
  checkType(type);
  if (order === 'True') throw unfit('Fortran order');
  const dims = shape
    .split(',')
    .map((dim) => dim.trim())
    .filter((dim) => dim !== '')
    .map(Number);
  const [count, height, width, channels] = imageDims(dims);
  const size = height * width * channels;
  const data = bytes.subarray(start);
  if (data.length !== count * size)
    throw malformed(`shape (${dims.join(', ')}) needs ${count * size} bytes, ${data.length} came`);
  const images = Array.from({ length: count }, (_, i) => data.subarray(i * size, (i + 1) * size));
  return { format: CHANNELS[channels]!, width, height, images };
}

function headerOf(bytes: Buffer): { header: string; start: number } {
  if (bytes[0] === PICKLE) throw malformed('it is a pickle, which is never read; save it with np.save');
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed('it does not begin with \\x93NUMPY');
  const major = bytes[6] ?? 0;
  if (major < 1 || major > 3) throw malformed(`version ${major}; expected 1 to 3`);
  const at = major === 1 ? 10 : 12;
  if (bytes.length < at) throw malformed('it ends in its header');
  const length = major === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  if (length > MOST_HEADER) throw malformed(`a header of ${length} bytes`);
  if (bytes.length < at + length) throw malformed('it ends in its header');
  return { header: bytes.toString('latin1', at, at + length), start: at + length };
}

function checkType(type: string): void {
  if (/^[|<>=]?u1$/.test(type)) return;
  if (type.includes('O')) throw unfit('an array of objects, which is a pickle and never read');
  throw unfit(`values of type ${type.slice(0, 16)}`);
}

/** One image may come without the first dimension. */
function imageDims(dims: number[]): [number, number, number, number] {
  const found = `shape (${dims.join(', ')})`;
  const [count, height, width, channels] = dims.length === 3 ? [1, ...dims] : dims;
  if (dims.length < 3 || dims.length > 4 || dims.some((dim) => !Number.isSafeInteger(dim) || dim < 1))
    throw unfit(found);
  if (channels! in CHANNELS) return [count!, height!, width!, channels!];
  throw unfit(height! in CHANNELS ? `${found}, channels first` : found);
}
