/** The node pack goes into ComfyUI's folder of node packs. */
import { join } from 'node:path';
import { install } from '../../install/install.ts';
import type { Installed, InstallFlags } from '../../kind.ts';
import { versionNote } from '../link/version.ts';
import { findPython, hasPackage, installCommand } from './python.ts';
import { findTarget, type Target } from './target.ts';

/** What the nodes import beyond ComfyUI's own requirements. */
const NEEDED = 'msgpack';

function versionInWords({ version, home }: Target): string {
  if (version === null) return `ComfyUI's version is unknown: ${home} does not tell it`;
  const note = versionNote(version);
  return note ? `ComfyUI: ${note}` : `ComfyUI ${version}`;
}

function needsInWords({ home }: Target): string {
  const python = findPython(home);
  const found = python ? hasPackage(python, NEEDED) : null;
  if (found) return `${NEEDED} is there, in ${python}`;
  const state = found === false ? 'is missing' : 'is needed, and may be missing';
  const which = python ? '' : ' with the Python that runs ComfyUI';
  return `${NEEDED} ${state}; install it${which}:\n  ${installCommand(python, NEEDED)}`;
}

/** @throws INSTALL_TARGET, INSTALL_CONFLICT */
export function installNodes(folder: string, flags: InstallFlags): Installed {
  const target = findTarget(folder);
  return install(
    {
      pack: 'comfyui',
      name: "Assay's nodes",
      plural: true,
      place: join(target.customNodes, 'assay'),
      around: () => [versionInWords(target), needsInWords(target)],
      restart: 'Restart ComfyUI if it runs: it reads node packs only when it starts.',
    },
    flags,
  );
}
