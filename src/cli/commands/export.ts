/** `assay export`: its options and its help. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { WAYS } from '../export/pairs.ts';
import { type Exit, withScorer } from '../input/options.ts';

function difference(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !(number >= 0 && number < Number.POSITIVE_INFINITY))
    throw new InvalidArgumentError('It must be a number, 0 or more.');
  return number;
}

const withImages = (command: Command): Command =>
  withScorer(command)
    .argument('<images...>', 'files, folders or globs')
    .option('-p, --prompt <text>', 'the prompt that all the images were generated from')
    .option('--prompts <table>', 'CSV, TSV or JSON file with the prompt of each image')
    .option('--no-file-prompts', 'do not look for prompts in the files themselves')
    .option('--profile <name>', 'reward profile of the config')
    .requiredOption('-o, --out <file>', 'file to write, ending in .parquet or .jsonl')
    .option('--force', 'let --out replace any file');

const PAIRS_HELP = `
Examples:
  assay export pairs outputs/ --prompts prompts.csv --out pairs.parquet
  assay export pairs outputs/ --pairs all --margin 0.1 --out pairs.jsonl
  assay export pairs outputs/ --ratings mos.csv --out pairs.parquet

Images of one prompt are compared by their rewards, or, where all of them have one, by their ratings. Parquet has the
columns caption, jpg_0, jpg_1, label_0, label_1, with the bytes of the files as they are; JSONL has paths.

Exit code 0; 3 when an image could not be scored (the others are written all the same); 130 when Ctrl-C stopped it.`;

export function exportCommand(exit: Exit): Command {
  const pairs = withImages(new Command('pairs'))
    .summary('pairs of a better and a worse image, for preference training')
    .option('--ratings <table>', 'CSV, TSV or JSON file with what people said of the images')
    .addOption(
      new Option('--pairs <way>', 'the best with the worst of each prompt, or each with each')
        .choices(WAYS)
        .default('best-worst'),
    )
    .option('--margin <difference>', 'least difference of a pair; what is nearer is a tie', difference, 0)
    .option('--keep-ties', 'write ties, too, with the labels 0.5 and 0.5')
    .addHelpText('after', PAIRS_HELP)
    .action(async (images, options) =>
      exit(await (await import('../export.ts')).exportPairs(images, options)),
    );
  const rewards = withImages(new Command('rewards'))
    .summary('one row an image with its reward, for regression')
    .action(async (images, options) =>
      exit(await (await import('../export.ts')).exportRewards(images, options)),
    );
  return new Command('export')
    .summary('write data sets for trainers: preference pairs, rewards')
    .description('Score images and write them as a data set.')
    .addCommand(pairs)
    .addCommand(rewards);
}
