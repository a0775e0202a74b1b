/** `assay calibrate`: its options and its help. */
import { Command } from 'commander';
import { atLeastOne, collect, type Exit, withScorer } from '../input/options.ts';
import { withSearch } from '../study/options.ts';

const HELP = `
Examples:
  assay calibrate previews workflow.json
  assay calibrate previews workflow.json --images 60 --by quality
  assay best workflow.json --previews

Makes images, scores what the host shows while it samples, and says from which step on previews rank as the finished
images do. The result is written beside the workflow, as WORKFLOW.previews.json, for assay best --previews.`;

const RATINGS_HELP = `
Examples:
  assay calibrate ratings --scorer my-vlm --images pictures/ --ratings mos.csv
  assay calibrate ratings --scorer my-vlm --images pictures/ --ratings mos.csv --range 0..100

The judge rates the images; a rising curve from its ratings to those of people and a 90 % interval are fitted, and
written to judges/ID.json in the data folder, where the judge reads it from its next start on. RMSE and coverage are of
images that the curve has not seen, in five folds; images of one prompt are in one fold.
Exit code 0; 3 when an image could not be scored; 130 when Ctrl-C stopped it: nothing is written then.`;

function ratingsCommand(exit: Exit): Command {
  return withScorer(new Command('ratings'))
    .summary("fit a judge elsewhere to people's ratings")
    .requiredOption('--images <dir>', 'folder of the images')
    .requiredOption('--ratings <table>', 'CSV, TSV or JSON file, as for assay eval')
    .option(
      '--range <range>',
      'scale of the ratings, when it is not 1..5: 0..100, quality=0..5 (repeatable)',
      collect,
    )
    .option('--json', 'print JSON')
    .addHelpText('after', RATINGS_HELP)
    .action(async (options) =>
      exit(await (await import('../calibrate/ratings.ts')).calibrateRatings(options)),
    );
}

export function calibrateCommand(exit: Exit): Command {
  const previews = withSearch(new Command('previews'), 'calibrate', 'calibration')
    .summary('how early previews tell which image will be good')
    .option('--images <n>', 'images to make (default: 40)', atLeastOne)
    .option('--by <measure>', 'reward, quality, alignment or authenticity (default: reward)')
    .option('-p, --prompt <text>', 'judge by this prompt instead of the one in the workflow')
    .addHelpText('after', HELP)
    .action(async (workflow, options) =>
      exit(await (await import('../calibrate.ts')).calibratePreviews(workflow, options)),
    );
  return new Command('calibrate')
    .summary('measure what previews are worth, or fit a judge to ratings')
    .description('Measure what scores are worth: of previews of a workflow, or of a judge beside people.')
    .addCommand(previews)
    .addCommand(ratingsCommand(exit));
}
