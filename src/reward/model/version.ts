/** Order of versions, such as `1.9.0` before `1.10.0`. Without the engine's collator, which takes long to come. */

/** Runs of digits, and what stands between them. */
const pieces = (text: string): string[] => text.match(/\d+|\D+/g) ?? [];

/** Numbers by their value, all else by characters. */
function comparePieces(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  if (!Number.isNaN(difference)) return difference;
  return a < b ? -1 : Number(a > b);
}

function compare(a: string, b: string): number {
  const others = pieces(b);
  for (const [i, piece] of pieces(a).entries()) {
    const order = comparePieces(piece, others[i] ?? '');
    if (order !== 0) return order;
  }
  return pieces(a).length - others.length;
}

/** A version before and after its first hyphen: `2.0.0` and `rc.1`. */
function halves(version: string): [release: string, pre: string] {
  const at = version.indexOf('-');
  return at < 0 ? [version, ''] : [version.slice(0, at), version.slice(at + 1)];
}

/**
 * For sorting: the newest first, a release before its pre-releases.
 *
 * @example ['1.9.0', '1.10.0', '1.10.0-rc.1'].toSorted(newestFirst) // ['1.10.0', '1.10.0-rc.1', '1.9.0']
 */
export function newestFirst(a: string, b: string): number {
  const [release, pre] = halves(a);
  const [otherRelease, otherPre] = halves(b);
  const isPre = Number(pre !== '') - Number(otherPre !== '');
  return compare(otherRelease, release) || isPre || compare(otherPre, pre);
}
