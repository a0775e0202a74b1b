/** Places relative to a folder. */
import { isAbsolute, relative, sep } from 'node:path';

/** Whether a path lies below a folder; both absolute, and real where links matter. */
export function isInside(folder: string, path: string): boolean {
  const rest = relative(folder, path);
  return rest !== '' && rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest);
}
