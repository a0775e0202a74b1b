/** The commands that deal with a host: nodes put into it, its images watched, those it made rejected. */
import { Command, Option } from 'commander';
import { type Exit, withScorer } from './input/options.ts';

export function installCommand(exit: Exit): Command {
  const install = new Command('install').summary('put the nodes into ComfyUI, update or remove them');
  install
    .command('comfyui')
    .description(
      "Put Assay's nodes into ComfyUI, or update them. Nothing else is touched, and nothing is downloaded.",
    )
    .argument('<folder>', "ComfyUI's folder: the one that holds custom_nodes")
    .option('--link', 'link to this installation of Assay instead of copying (for checkouts)')
    .option('--force', 'replace what is in the way, and files that were changed since')
    .addOption(new Option('--uninstall', 'remove what was installed').conflicts(['check', 'link']))
    .addOption(
      new Option('--check', 'say what is installed, and change nothing').conflicts(['link', 'force']),
    )
    .action(async (folder, options) => exit((await import('./install.ts')).installComfyui(folder, options)));
  return install;
}

/** An option that may be given several times. */
const many = (value: string, before: string[] = []): string[] => [...before, value];

export function watchCommand(exit: Exit): Command {
  return withScorer(new Command('watch'))
    .summary('score every image that a ComfyUI makes, whoever asks for it')
    .description(
      'Watch a ComfyUI and score each of its images once. It goes on where it left off, and waits for a host that goes away.',
    )
    .option('--comfyui <url>', 'address of ComfyUI (default http://127.0.0.1:8188)')
    .option(
      '--output-dir <dir>',
      "ComfyUI's output folder as seen from here; images in it may be tagged and moved",
    )
    .option('--policy <file>', 'JSON file with thresholds and actions: keep, tag or move')
    .option('--outputs-only', 'leave previews out')
    .option('--comfyui-header <line>', 'header for every request to ComfyUI, "Name: value" or @FILE', many)
    .option('--only-folder <glob>', 'judge images of this subfolder alone', many)
    .option('--only-prefix <glob>', 'judge images whose name begins so alone', many)
    .option('--only-node <glob>', 'judge images of this node alone: its id, class or title', many)
    .option('--not-folder <glob>', 'leave images of this subfolder alone', many)
    .option('--not-prefix <glob>', 'leave images alone whose name begins so', many)
    .option('--not-node <glob>', 'leave images of this node alone', many)
    .option('--judge-maps', 'judge masks, depth, edge and pose maps, too')
    .option('--once', 'score what the host holds now, then end')
    .addOption(new Option('-f, --format <format>', 'how to print').choices(['text', 'jsonl']).default('text'))
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .addHelpText(
      'after',
      `
Examples:
  assay watch
  assay watch --comfyui http://127.0.0.1:8188 --output-dir ~/ComfyUI/output --policy policy.json
  assay watch --once --format jsonl > scores.jsonl
  assay watch --comfyui https://example.org/comfy --comfyui-header @headers.txt --not-folder depth --not-node 12

A policy file: {"aspects": {"quality": {"minPercentile": 0.2}}, "actions": {"reject": "move"}}
Moved images are in the reject bin: see \`assay rejects\`.`,
    )
    .action(async (options) => exit(await (await import('./watch.ts')).watchHost(options)));
}

const withBin = (command: Command): Command =>
  command
    .option('--data-dir <dir>', "folder for Assay's own data; the bin is its folder `rejects`")
    .option('--reject-dir <dir>', 'another bin, e.g. the folder of `assay score --move-rejects`')
    .option('--config <file>', 'JSON file with settings');

export function rejectsCommand(exit: Exit): Command {
  const rejects = new Command('rejects').summary('list, restore and delete rejected images');
  const load = () => import('./rejects.ts');
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
