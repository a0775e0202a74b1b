/** `assay install`: a subcommand for each kind of host that something can be put into. */
import { Command, Option } from 'commander';
import type { Installer } from '../../bridge/hosts/kind.ts';
import { HOST_KINDS } from '../../bridge/hosts/kinds.ts';
import type { Exit } from '../input/options.ts';

const hostCommand = (id: string, installer: Installer, exit: Exit): Command =>
  new Command(id)
    .description(installer.description)
    .argument('<folder>', installer.folder)
    .option('--link', 'link to this installation of Assay instead of copying (for checkouts)')
    .option('--force', 'replace what is in the way, and files that were changed since')
    .addOption(new Option('--uninstall', 'remove what was installed').conflicts(['check', 'link']))
    .addOption(
      new Option('--check', 'say what is installed, and change nothing').conflicts(['link', 'force']),
    )
    .action(async (folder, options) =>
      exit(await (await import('../install.ts')).install(installer, folder, options)),
    );

export function installCommand(exit: Exit): Command {
  const kinds = HOST_KINDS.filter(({ install }) => install);
  const titles = kinds.map(({ title }) => title).join(' or ');
  const command = new Command('install').summary(
    `put what judges images into ${titles}, update or remove it`,
  );
  for (const { id, install } of kinds) command.addCommand(hostCommand(id, install!, exit));
  return command;
}
