/** Finds the parts of a ComfyUI from a folder that the user names. Runs nothing of it. */
import { statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fail } from '../../../../errors/error.ts';
import { moduleVersion, projectVersion } from '../../install/versions.ts';

export interface Target {
  /** Where ComfyUI looks for node packs. */
  customNodes: string;
  /** ComfyUI's own folder, or its base directory. */
  home: string;
  /** Null when the folder does not tell, as a base directory apart from the program. */
  version: string | null;
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** One of these stands beside custom_nodes in every ComfyUI folder and base directory. */
const COMPANIONS = ['comfyui_version.py', 'nodes.py', 'models', 'user', 'output'];

/** The folder itself, one that it lies in when it is custom_nodes, or that of the portable package. */
function homeOf(folder: string): string | undefined {
  if (basename(folder) === 'custom_nodes') return dirname(folder);
  return [folder, join(folder, 'ComfyUI'), join(folder, 'ComfyUI_windows_portable', 'ComfyUI')].find((home) =>
    isFolder(join(home, 'custom_nodes')),
  );
}

/** @throws INSTALL_TARGET when the folder is not ComfyUI's */
export function findTarget(path: string): Target {
  const folder = resolve(path);
  const refuse = (reason: string) => fail('INSTALL_TARGET', { path: folder, reason });
  if (!isFolder(folder)) throw refuse('there is no such folder');
  const home = homeOf(folder);
  if (!home) throw refuse('it holds neither custom_nodes nor ComfyUI/custom_nodes');
  const known = COMPANIONS.some((name) => statSync(join(home, name), { throwIfNoEntry: false }));
  if (!known) throw refuse(`beside custom_nodes there is none of ${COMPANIONS.join(', ')}`);
  const version =
    moduleVersion(join(home, 'comfyui_version.py')) ?? projectVersion(join(home, 'pyproject.toml'));
  return { customNodes: join(home, 'custom_nodes'), home, version };
}
