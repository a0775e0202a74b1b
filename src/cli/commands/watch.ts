/** `assay watch`: its options and its help. The flags that name a host are those of the table of hosts. */
import { Command, Option } from 'commander';
import { HOST_KINDS } from '../../bridge/hosts/kinds.ts';
import { collect, type Exit, withScorer } from '../input/options.ts';
import { withHosts } from '../watch/options.ts';

const titles = HOST_KINDS.map(({ title }) => title).join(' or ');

function help(): string {
  const { id, url } = HOST_KINDS[0]!;
  return `
Examples:
  assay watch
  assay watch --${id} ${url} --output-dir /path/to/output --policy policy.json
  assay watch --once --format jsonl > scores.jsonl
  assay watch --${id} https://example.org/host --${id}-header @headers.txt --not-folder depth --not-node 12

A policy file: {"aspects": {"quality": {"minPercentile": 0.2}}, "actions": {"reject": "move"}}
Moved images are in the reject bin: see \`assay rejects\`.`;
}

export const watchCommand = (exit: Exit): Command =>
  withHosts(withScorer(new Command('watch')))
    .summary(`score every image that a ${titles} makes, whoever asks for it`)
    .description(
      `Watch a ${titles} and score each of its images once. It goes on where it left off, and waits for a host that goes away.`,
    )
    .option(
      '--output-dir <dir>',
      "the host's output folder as seen from here; images in it may be tagged and moved",
    )
    .option('--policy <file>', 'JSON file with thresholds and actions: keep, tag or move')
    .option('--outputs-only', 'leave previews out')
    .option('--only-folder <glob>', 'judge images of this subfolder alone', collect)
    .option('--only-prefix <glob>', 'judge images whose name begins so alone', collect)
    .option('--only-node <glob>', 'judge images of this node alone: its id, class or title', collect)
    .option('--not-folder <glob>', 'leave images of this subfolder alone', collect)
    .option('--not-prefix <glob>', 'leave images alone whose name begins so', collect)
    .option('--not-node <glob>', 'leave images of this node alone', collect)
    .option('--judge-maps', 'judge masks, depth, edge and pose maps, too')
    .option('--once', 'score what the host holds now, then end')
    .addOption(new Option('-f, --format <format>', 'how to print').choices(['text', 'jsonl']).default('text'))
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .addHelpText('after', help())
    .action(async (options) => exit(await (await import('../watch.ts')).watchHost(options)));
