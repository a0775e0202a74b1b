/** `assay best`: its options and its help. The flags that name a host are those of the table of hosts. */
import { Command } from 'commander';
import { HOST_KINDS } from '../../bridge/hosts/kinds.ts';
import { atLeastOne, collect, type Exit, number } from '../input/options.ts';
import { withSearch } from '../study/options.ts';

const WORKFLOWS = HOST_KINDS.filter(({ workflow }) => workflow !== undefined)
  .map(({ id, workflow }) => `  --${id.padEnd(10)}${workflow}`)
  .join('\n');

const HELP = `
Examples:
  assay best workflow.json --keep 4 --images 60
  assay best workflow.json --keep 4 --minutes 20 --vary 3.cfg=4,6,8 --vary "6.text=@prompts.txt"
  assay best workflow.json --least 0.7 --keep 4
  assay best workflow.json --price 10% --out foxes
  assay best --out foxes --resume

The workflow is a file in the host's own format:
${WORKFLOWS}
Seeds are found by themselves; --vary NODE.INPUT (or the name of a field, where there are no nodes) without values names
the seed to vary where there are several. Values are a list (4,6,8), a range (4..8), or the lines of a file (@prompts.txt).

Everything is kept in the folder of the study: images/, winners/ with their scores in them, report.html, and what it
takes to go on. Ctrl-C ends it with what it has (exit code 130); --resume goes on.`;

export const bestCommand = (exit: Exit): Command =>
  withSearch(new Command('best'), 'best', 'study')
    .summary('make images until there are enough good ones, and keep the best')
    .description('Run a workflow over and over with other seeds, score what it makes, and keep the best.')
    .option('--keep <n>', 'images to keep (default: 1)', atLeastOne)
    .option('--images <n>', 'most images to make (default: 60)', atLeastOne)
    .option('--minutes <n>', 'longest time', number)
    .option(
      '--vary <input>',
      'what to vary: NODE.INPUT=VALUES, or NODE.INPUT of a seed (repeatable)',
      collect,
    )
    .option(
      '--strategy <name>',
      'how to search: best-of-n, first, halving, neighbours or variants (default: best-of-n; first with --least)',
    )
    .option('--least <value>', 'stop when there are enough images of at least this value', number)
    .option(
      '--price <gain>',
      'stop when one more image is expected to add less: 0.02, or 10% of how far images differ',
    )
    .option(
      '--by <measures>',
      'what is best: reward, quality, alignment, or SCORER.quality; several make a rank ensemble',
    )
    .option('--previews [file]', 'stop early what previews say is not worth finishing (see assay calibrate)')
    .option('--demand <srcc>', 'least rank correlation of previews with images (default: 0.8)', number)
    .option('-p, --prompt <text>', 'judge by this prompt instead of the one in the workflow')
    .option('--policy <file>', 'JSON file with thresholds and actions: what it rejects cannot win')
    .addHelpText('after', HELP)
    .action(async (workflow, options) => exit(await (await import('../best.ts')).best(workflow, options)));
