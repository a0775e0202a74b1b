/** Arrays of floats in NumPy's file format, versions 1 to 3: a header of a few words, then the bare numbers. */

export interface FloatArray {
  dims: number[];
  data: Float32Array;
}

const MAGIC = '\x93NUMPY';
/** In bytes: one of two dimensions has 100. */
const MOST_HEADER = 4096;

/** @throws Error that says what is wrong, also for what is not floats of 16 or 32 bits in rows */
export function readNpy(bytes: Uint8Array): FloatArray {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 12 || file.toString('latin1', 0, 6) !== MAGIC) throw new Error('it is no NPY file');
  const isShort = file[6] === 1;
  const start = isShort ? 10 : 12;
  const length = isShort ? file.readUInt16LE(8) : file.readUInt32LE(8);
  if (length > MOST_HEADER) throw new Error(`its header has ${length} bytes`);
  const end = start + length;
  const header = file.toString('latin1', start, end);
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (shape === undefined || !/'fortran_order':\s*False/.test(header))
    throw new Error('its header has no shape, or columns before rows');
  const dims = shape.split(',').flatMap((part) => (part.trim() === '' ? [] : [Number(part)]));
  const count = dims.reduce((product, n) => product * n, 1);
  const size = type === '<f4' ? 4 : type === '<f2' ? 2 : 0;
  if (size === 0) throw new Error(`it holds numbers of type ${type}`);
  if (file.length - end !== count * size)
    throw new Error(`it has ${file.length - end} bytes for [${dims.join(', ')}] of ${size} bytes`);
  const copy = Uint8Array.from(file.subarray(end)).buffer;
  return { dims, data: size === 4 ? new Float32Array(copy) : widened(new Uint16Array(copy)) };
}

/** Of every float16, made when the first is read. */
let wide: Float32Array | undefined;

function widened(halves: Uint16Array): Float32Array {
  wide ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => single(bits));
  const table = wide;
  return Float32Array.from(halves, (bits) => table[bits]!);
}

/** IEEE 754: 1 bit of sign, 5 of exponent, 10 of fraction. */
function single(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
