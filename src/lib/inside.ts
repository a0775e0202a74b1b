/** Places relative to a folder. */
import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';

/** Whether a path lies below a folder; both absolute, and real where links matter. */
export function isInside(folder: string, path: string): boolean {
  const rest = relative(folder, path);
  return rest !== '' && rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest);
}

/** Links resolved; for what does not exist, those of the nearest folder that does. */
export async function nearestReal(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // absent or unreadable: the caller learns which only if the folder is allowed
    const parent = dirname(path);
    return parent === path ? path : resolve(await nearestReal(parent), relative(parent, path));
  }
}
