/** Did you mean: the nearest known word. */

/** The known word nearest to `word`, if it is near enough to be a slip; for "did you mean". */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_SLIP) return undefined;
  const most = Math.max(2, Math.floor(word.length / 3));
  const ranked = known
    .filter((k) => Math.abs(k.length - word.length) <= most)
    .map((k) => ({ k, d: editDistance(word.toLowerCase(), k.toLowerCase()) }));
  ranked.sort((a, b) => a.d - b.d);
  const best = ranked[0];
  return best && best.d <= most ? best.k : undefined;
}

/** Characters of a word that is compared at all: both sides may come from a stranger, and the work grows with each. */
const LONGEST_SLIP = 64;

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
