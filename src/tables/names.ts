/** Names of images as tables and file systems write them, made comparable. */
import { IMAGE_EXTENSIONS } from '../types/image.ts';

/** Unicode has two spellings of `é`: tables have one, macOS file systems the other. */
const plain = (name: string): string => name.normalize('NFC');

/** Folders and file of a path in either spelling, `./` and empty parts left out. */
export const partsOf = (path: string): string[] =>
  plain(path.trim().replace(/^file:\/\//, ''))
    .split(/[\\/]+/)
    .filter((part) => part !== '' && part !== '.');

/** What follows the last dot, in small letters; a dot alone in front makes no extension. */
export const extensionOf = (name: string): string =>
  /[^/\\](\.[^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';

/** A name may hold dots of its own ("sd1.5_001"), so only a known extension is taken off. */
export function stemOf(name: string): string {
  const extension = extensionOf(name);
  return IMAGE_EXTENSIONS.includes(extension) ? name.slice(0, -extension.length) : name;
}
