/** Order of versions, such as `1.9.0` before `1.10.0`. */
const collator = new Intl.Collator('en', { numeric: true });

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
  return collator.compare(otherRelease, release) || isPre || collator.compare(otherPre, pre);
}
