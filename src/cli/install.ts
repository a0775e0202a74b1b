/** `assay install`: tells what an installer did. */
import type { Installer, InstallFlags } from '../bridge/hosts/kind.ts';
import { EXIT } from '../errors/exit.ts';

/** Exit code 0, or 2 when `--check` finds something to do. */
export async function install(installer: Installer, folder: string, flags: InstallFlags): Promise<number> {
  const { lines, isCurrent } = await installer.run(folder, flags);
  process.stdout.write(`${lines.join('\n')}\n`);
  return isCurrent ? EXIT.ok : EXIT.usage;
}
