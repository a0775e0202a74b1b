/** Versions of ComfyUI: which one was tried, and what is to be said of another. */

/** The one that the tests were run against. */
const TRIED = '0.3.64';

/** A remark for people on a version that was not tried; null for the one that was. */
export function versionNote(version: string): string | null {
  const order = compare(version, TRIED);
  if (order === undefined) return `version "${version}" is not of the known form; ${TRIED} was tried`;
  if (order === 0) return null;
  return `version ${version} is ${order > 0 ? 'newer' : 'older'} than ${TRIED}, which was tried`;
}

/** Above 0 when `a` is newer; undefined when one of them is no version number. */
function compare(a: string, b: string): number | undefined {
  const [x, y] = [a, b].map((text) => /^v?(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number));
  if (!x || !y) return undefined;
  const at = x.findIndex((part, i) => part !== y[i]);
  return at < 0 ? 0 : x[at]! - y[at]!;
}
