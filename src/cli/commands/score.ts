/** `assay score`: its options and its help. */
import { Command, Option } from 'commander';
import { FORMATS, SORTS } from '../input/flags.ts';
import { atLeastOne, collect, type Exit, withScorer } from '../input/options.ts';

const SCORE_HELP = `
Examples:
  assay score cat.png
  assay score outputs/ --out scores.csv
  assay score "renders/**/*.webp" --prompt "a red fox in snow"
  assay score outputs/ --prompts prompts.csv --sort alignment
  assay score outputs/ --min quality=2.5 --top 20 --copy-top best/
  assay score outputs/ --policy policy.json --move-rejects rejected/
  assay score outputs/ --out scores.jsonl --resume

A table of prompts is CSV, TSV or JSON with a column of image names (name, file, path …) and one of prompts (prompt,
caption, text …). Names may be paths, ends of paths, or file names with or without extension.

Exit code 0; 3 when an image could not be scored, moved, copied or tagged (the others are dealt with all the same);
130 when Ctrl-C stopped it: what is done is printed and kept.`;

const withPrinting = (command: Command): Command =>
  command
    .addOption(
      new Option('-f, --format <format>', 'how to print (default: table, or as --out ends)').choices(FORMATS),
    )
    .option('-o, --out <file>', 'write there instead of to the terminal')
    .option('--force', 'let --out replace any file')
    .option('--resume', 'go on where an earlier run with this --out stopped');

const withChoice = (command: Command): Command =>
  command
    .addOption(new Option('--sort <by>', 'best first, or by name').choices(SORTS))
    .option('--top <n>', 'list the best only, by --sort (default: reward)', atLeastOne)
    .option(
      '--min <demand>',
      'list only what has at least this, and reject the rest: quality=2.5, quality=30% (percentile), reward=0.4 (repeatable)',
      collect,
    )
    .option('--policy <file>', 'JSON file with thresholds for the verdict')
    .option('--move-rejects <dir>', 'move rejected images there, with the reason beside each')
    .option('--copy-top <dir>', 'copy the listed images there; needs --top or --min');

export function scoreCommand(exit: Exit): Command {
  const command = withScorer(new Command('score'))
    .summary('score images and print the result')
    .description('Score image files, folders of images, globs (quote them), or - for the standard input.')
    .argument('<images...>', 'files, folders or globs')
    .option('-p, --prompt <text>', 'the prompt that all the images were generated from')
    .option('--prompts <table>', 'CSV, TSV or JSON file with the prompt of each image')
    .option('--no-file-prompts', 'do not look for prompts in the files themselves');
  return withChoice(withPrinting(command))
    .option('--write-metadata', 'keep each score in its file (PNG, JPEG, WebP), beside its other metadata')
    .addOption(
      new Option('--show-metadata', 'print the scores that the files carry; nothing is scored').conflicts([
        'writeMetadata',
        'moveRejects',
        'copyTop',
        'resume',
      ]),
    )
    .addHelpText('after', SCORE_HELP)
    .action(async (images, options) => {
      if (options.showMetadata)
        exit(await (await import('../score/metadata.ts')).showMetadata(images, options));
      else exit(await (await import('../score.ts')).score(images, options));
    });
}
