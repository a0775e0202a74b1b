/** Finds the folder of extensions, and which program of the family it is, from a folder that the user names. Runs nothing of it. */
import { statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fail } from '../../../../errors/error.ts';
import { textOf } from '../../install/versions.ts';

export interface Target {
  /** Where the host looks for extensions. */
  extensions: string;
  /** The program and its version, as far as the folder tells; null for a data folder apart from the program. */
  program: string | null;
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** One of these stands beside extensions in every folder of the family, also in one that --data-dir names. */
const COMPANIONS = ['webui.py', 'launch.py', 'modules', 'config.json', 'ui-config.json', 'outputs'];

/** The folder itself, one that it lies in when it is extensions, or the program in the package for Windows. */
function homeOf(folder: string): string | undefined {
  if (basename(folder) === 'extensions') return dirname(folder);
  return [folder, join(folder, 'webui')].find((home) => isFolder(join(home, 'extensions')));
}

/** Version of the newest entry of a change log, `## 1.10.1`. */
const newestIn = (path: string): string => /^##\s+v?(\d[\w.]*)/m.exec(textOf(path))?.[1] ?? '';

/** Forks keep files of what they come from, so that the latest in line is looked for first. */
function programIn(home: string): string | null {
  if (isFile(join(home, 'modules/sd_samplers_diffusers.py'))) return 'SD.Next';
  const forge = /^version = ['"]([^'"]+)['"]/m.exec(
    textOf(join(home, 'modules_forge/forge_version.py')),
  )?.[1];
  if (forge) return `Forge ${forge.split('-')[0]}`;
  if (!isFile(join(home, 'webui.py'))) return null;
  const fork = isFolder(join(home, 'modules_forge')) ? 'a fork of AUTOMATIC1111' : 'AUTOMATIC1111';
  return [fork, newestIn(join(home, 'CHANGELOG.md'))].filter(Boolean).join(' ');
}

/** @throws INSTALL_TARGET when it is no folder of the family */
export function findTarget(path: string): Target {
  const folder = resolve(path);
  const refuse = (reason: string) => fail('INSTALL_TARGET', { path: folder, reason });
  if (!isFolder(folder)) throw refuse('there is no such folder');
  const home = homeOf(folder);
  if (!home) throw refuse('it holds neither extensions nor webui/extensions');
  const known = COMPANIONS.some((name) => statSync(join(home, name), { throwIfNoEntry: false }));
  if (!known) throw refuse(`beside extensions there is none of ${COMPANIONS.join(', ')}`);
  return { extensions: join(home, 'extensions'), program: programIn(home) };
}
