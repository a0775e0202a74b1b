/** Numbers as float16. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Exponents of float32 and float16 are this far apart; the fraction has 13 bits less. */
const BIAS = 127 - 15;
const DROPPED = 13;
const INFINITE = 0x7c00;

/** The bits of the float16 that is nearest to a number, of two the even one. */
export function halfBits(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const exponent = ((bits[0]! >>> 23) & 0xff) - BIAS;
  const fraction = bits[0]! & 0x7fffff;
  if (exponent >= 31) return sign | INFINITE | (exponent === 255 - BIAS && fraction > 0 ? 1 : 0);
  if (exponent < -10) return sign;
  // Below the least exponent the leading one, which is not stored otherwise, moves into the fraction.
  const isSmall = exponent <= 0;
  const shift = isSmall ? DROPPED + 1 - exponent : DROPPED;
  const whole = isSmall ? fraction | 0x800000 : (exponent << 23) | fraction;
  const half = whole >>> shift;
  const rest = whole - half * 2 ** shift;
  const middle = 2 ** (shift - 1);
  return sign | (half + (rest > middle || (rest === middle && half % 2 === 1) ? 1 : 0));
}
