/** `assay eval`: its options and its help. */
import { Command } from 'commander';
import { collect, type Exit, withScorer } from '../input/options.ts';

export function evalCommand(exit: Exit): Command {
  return withScorer(new Command('eval'))
    .summary('measure how well a scorer agrees with human ratings')
    .description('Score rated images and report correlation, calibration and best-of-N utility.')
    .requiredOption('--images <dir>', 'folder of the images')
    .requiredOption(
      '--ratings <table>',
      'CSV, TSV or JSON file: name, mos_quality and/or mos_align, optionally generator and prompt',
    )
    .option(
      '--range <range>',
      "scale of an aspect's ratings, when it is not the scorer's: quality=0..100 (repeatable)",
      collect,
    )
    .option('--ratings-range <low,high>', 'the same for all aspects at once')
    .option('-o, --out <dir>', 'folder for report.json, report.html and predictions.csv', 'assay-eval')
    .addHelpText(
      'after',
      `
Examples:
  assay eval --images pictures/ --ratings mos.csv
  assay eval --images pictures/ --ratings mos.csv --range quality=0..100 --range alignment=1..5

Exit code 0; 3 when an image could not be scored; 130 when Ctrl-C stopped it: the report is of what is done.`,
    )
    .action(async (options) => exit(await (await import('../eval.ts')).runEval(options)));
}
