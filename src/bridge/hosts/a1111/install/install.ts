/** The extension goes into the host's folder of extensions. It needs no package beyond what the host has. */
import { join } from 'node:path';
import { install } from '../../install/install.ts';
import type { Installed, InstallFlags } from '../../kind.ts';
import { findTarget, type Target } from './target.ts';

const programInWords = ({ program, extensions }: Target): string =>
  program ?? `which program reads ${extensions} is unknown: the folder does not tell it`;

/** @throws INSTALL_TARGET, INSTALL_CONFLICT */
export function installExtension(folder: string, flags: InstallFlags): Installed {
  const target = findTarget(folder);
  return install(
    {
      pack: 'a1111',
      name: "Assay's extension",
      plural: false,
      place: join(target.extensions, 'assay'),
      around: () => [programInWords(target), 'It needs no further Python package.'],
      restart: 'Restart the host if it runs: it reads extensions only when it starts.',
    },
    flags,
  );
}
