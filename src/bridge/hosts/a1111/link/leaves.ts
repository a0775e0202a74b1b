/** Files of the output folder that are no image to judge, by the names that this family gives them. */
import type { HostFile } from '../../../../host.ts';

const FOLDERS: readonly (readonly [what: string, name: RegExp])[] = [
  ['a grid', /^([\w-]*-)?grids?$/i],
  ['an input', /^(init-images|inputs?)$/i],
];
const FILES: readonly (readonly [what: string, name: RegExp])[] = [
  ['a grid', /^grid[-_]|-grid\.\w+$/i],
  ['a mask', /-mask(-composite)?\.\w+$/i],
  ['an image before its last step', /-before-[a-z-]+\.\w+$/i],
  ['an input', /-init-image\.\w+$/i],
];

/** Null for one that may be judged. */
export function leaves({ subfolder, filename }: HostFile): string | null {
  const folder = FOLDERS.find(([, name]) => subfolder.split('/').some((part) => name.test(part)));
  const file = FILES.find(([, name]) => name.test(filename));
  return folder?.[0] ?? file?.[0] ?? null;
}
