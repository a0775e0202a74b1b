/** `assay calibrate`: its options and its help. */
import { Command } from 'commander';
import { atLeastOne, type Exit } from '../input/options.ts';
import { withSearch } from '../study/options.ts';

const HELP = `
Examples:
  assay calibrate previews workflow.json
  assay calibrate previews workflow.json --images 60 --by quality
  assay best workflow.json --previews

Makes images, scores what the host shows while it samples, and says from which step on previews rank as the finished
images do. The result is written beside the workflow, as WORKFLOW.previews.json, for assay best --previews.`;

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
    .summary('measure what previews are worth')
    .description('Measure what scores are worth for a workflow.')
    .addCommand(previews);
}
