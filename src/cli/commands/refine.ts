/** `assay refine`: its options and its help. The flags that name a host are those of the table of hosts. */
import { Command } from 'commander';
import { atLeastOne, collect, type Exit, number } from '../input/options.ts';
import { withSearch } from '../study/options.ts';

const HELP = `
Examples:
  assay refine workflow.json
  assay refine workflow.json --prompt "a red fox in the snow" --by quality
  assay refine workflow.json --endpoint http://127.0.0.1:11434/v1 --model llama3.2 --out foxes
  assay refine --out foxes --resume

The workflow is in API format, as the host exports it. Variants of the prompt are made on the
same seeds and judged by the original prompt; the worse half is dropped after each stage. The best one is then compared
with the original on fresh seeds: the answer is "better by 0.31 (0.12 to 0.50)" or "no improvement found".

Without --endpoint the proposals come from phrases that are built in. A key for the endpoint is taken from
ASSAY_ENDPOINT_API_KEY or --api-key-file.

Exit code 0 with either answer; 3 when too many images failed; 130 when Ctrl-C stopped it: --resume goes on.`;

export const refineCommand = (exit: Exit): Command =>
  withSearch(new Command('refine'), 'refine', 'refinement')
    .summary('look for a prompt that does better, confirmed on fresh seeds')
    .description('Try other versions of a prompt on a host, and say whether one of them is better.')
    .option('-p, --prompt <text>', 'the original prompt (default: the one in the workflow)')
    .option(
      '--input <input>',
      'NODE.INPUT that the prompt goes into, where it is not found (repeatable)',
      collect,
    )
    .option(
      '--by <measure>',
      'what is to rise: reward, quality, alignment, or SCORER.quality (default: reward)',
    )
    .option('--images <n>', 'most images to make (default: 200)', atLeastOne)
    .option('--rounds <n>', 'most rounds of proposals (default: 4)', atLeastOne)
    .option('--variants <n>', 'proposals of a round (default: 6)', atLeastOne)
    .option('--seeds <n>', 'seeds that the last variants of a round share (default: 12)', atLeastOne)
    .option('--confirm <n>', 'fresh seeds that the best variant is confirmed on (default: 32)', atLeastOne)
    .option(
      '--keep-words <share>',
      'least share of the words of the original to keep, 0 to 1 (default: 0.8)',
      number,
    )
    .option('--endpoint <url>', 'OpenAI-compatible API of a language model that proposes')
    .option('--model <name>', 'the model there')
    .option('--api-key-file <file>', 'file that holds the key for it')
    .option('--max-tokens <n>', 'most tokens read and written there (default: 50000)', atLeastOne)
    .addHelpText('after', HELP)
    .action(async (workflow, options) =>
      exit(await (await import('../refine.ts')).refine(workflow, options)),
    );
