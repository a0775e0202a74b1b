/** Numbers that look random and are the same for the same seed. */

/**
 * Uniform numbers in [0, 1), the same for the same seed.
 *
 * @see G. Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix, here of 32 bits)
 */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e37_79b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** The items in another order. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map((k) => k.item);
}

/** Distance of neighbouring seeds: odd, so that all of the 2^32 come before one comes again. */
const STRIDE = 0x9e37_79b1;

/** The n-th, from 0, of different seeds that follow from one: 0..2^32-1. */
export const seedAt = (seed: number, n: number): number =>
  (Math.floor(randomFrom(seed)() * 2 ** 32) + Math.imul(n, STRIDE)) >>> 0;
