/** `assay rejects`: its subcommands, their options and their help. */
import { Command, Option } from 'commander';
import type { Exit } from '../input/options.ts';

const withBin = (command: Command): Command =>
  command
    .option('--data-dir <dir>', "folder for Assay's own data; the bin is its folder `rejects`")
    .option('--reject-dir <dir>', 'another bin, e.g. the folder of `assay score --move-rejects`')
    .option('--config <file>', 'JSON file with settings');

export function rejectsCommand(exit: Exit): Command {
  const rejects = new Command('rejects').summary('list, restore and delete rejected images');
  const load = () => import('../rejects.ts');
  withBin(rejects.command('list'))
    .description('List the images in the reject bin and why they are there.')
    .addOption(
      new Option('-f, --format <format>', 'how to print').choices(['table', 'json']).default('table'),
    )
    .action(async (options) => exit(await (await load()).listRejects(options)));
  withBin(rejects.command('restore'))
    .description('Put images back where they were. Nothing is overwritten.')
    .argument('[ids...]')
    .option('--all', 'all of them')
    .option('--to <dir>', 'folder to put them into instead')
    .action(async (ids, options) => exit(await (await load()).restoreRejects(ids, options)));
  withBin(rejects.command('purge'))
    .description('Delete images in the reject bin for good.')
    .argument('[ids...]')
    .option('--all', 'all of them')
    .option('--older-than <age>', 'only those moved longer ago, e.g. 12h, 30d or 2w')
    .option('-y, --yes', 'do not ask')
    .action(async (ids, options) => exit(await (await load()).purgeRejects(ids, options)));
  return rejects;
}
