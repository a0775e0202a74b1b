/** Student's t distribution: what is expected of the next of a few numbers that are spread like a bell. */

/** Coefficients of Lanczos for the logarithm of the gamma function, g = 7. */
const LANCZOS = [
  0.999_999_999_999_809_93, 676.520_368_121_885_1, -1259.139_216_722_402_8, 771.323_428_777_653_1,
  -176.615_029_162_140_6, 12.507_343_278_686_905, -0.138_571_095_265_720_12, 9.984_369_578_019_572e-6,
  1.505_632_735_149_311_6e-7,
];

/** @param x at least 0.5 */
function logGamma(x: number): number {
  const at = x - 1;
  const sum = LANCZOS.reduce((total, c, i) => (i === 0 ? c : total + c / (at + i)), 0);
  const t = at + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (at + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Density at `x`. @param freedom degrees of freedom, above 0 */
export function density(x: number, freedom: number): number {
  const scale = logGamma((freedom + 1) / 2) - logGamma(freedom / 2) - 0.5 * Math.log(freedom * Math.PI);
  return Math.exp(scale - ((freedom + 1) / 2) * Math.log1p((x * x) / freedom));
}

/** Probability of more than `x`. */
export function above(x: number, freedom: number): number {
  const tail = 0.5 * incompleteBeta(freedom / (freedom + x * x), freedom / 2, 0.5);
  return x >= 0 ? tail : 1 - tail;
}

const MOST_TERMS = 200;
const CLOSE = 1e-12;

/**
 * Regularised incomplete beta function, by its continued fraction in Lentz's form.
 *
 * @see W. Press et al., "Numerical Recipes", third edition, section 6.4
 */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  return (front / a) * fractionAt(x, a, b);
}

function fractionAt(x: number, a: number, b: number): number {
  const kept = (v: number) => (Math.abs(v) < 1e-300 ? 1e-300 : v);
  let c = 1;
  let d = 1 / kept(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= MOST_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / kept(1 + even * d);
    c = kept(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / kept(1 + odd * d);
    c = kept(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < CLOSE) break;
  }
  return value;
}
