/** Options of all commands that search on a host. */
import { type Command, Option } from 'commander';
import { number, withScorer } from '../input/options.ts';
import { withHosts } from '../watch/options.ts';

/** @param by the word in the name of the folder; `noun`: what it holds, for people */
export const withSearch = (command: Command, by: string, noun: string): Command =>
  withHosts(withScorer(command))
    .argument('[workflow]', 'workflow file; left out with --resume')
    .option('--seed <n>', 'what all seeds follow from (default: by chance)', number)
    .option('--out <dir>', `folder of the ${noun} (default: assay-${by}/DATE)`)
    .option('--resume', `go on with the ${noun} in --out`)
    .addOption(
      new Option('-f, --format <format>', 'how to print').choices(['text', 'jsonl']).default('text'),
    );
