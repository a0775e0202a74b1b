import { z } from 'zod';
import { fail } from '../../../errors/error.ts';
import { flag, studyFolder, vary, varyArgs } from '../search-args.ts';
import { tool } from '../tool.ts';

/** Until it is known whether the host and the workflow are in order. */
const START_MS = 15_000;

const input = z.strictObject({
  workflow: z.string().optional().describe('workflow file in the API format of the host'),
  resume: z.string().optional().describe('instead: the folder of a search to go on with'),
  keep: z.int().min(1).max(100).optional().describe('images to keep (1)'),
  images: z.int().min(1).max(10_000).optional().describe('most images to make (60)'),
  minutes: z.number().positive().optional().describe('longest time'),
  vary: vary.optional(),
  strategy: z
    .string()
    .optional()
    .describe('best-of-n (default), first, halving (cheap drafts first), neighbours or variants'),
  least: z.number().optional().describe('stop when there are enough images of at least this value'),
  price: z
    .string()
    .optional()
    .describe('stop when one more image is expected to add less: 0.02, or 10% of how far images differ'),
  by: z
    .string()
    .optional()
    .describe('reward (default), quality, alignment, authenticity, SCORER.quality; several with commas'),
  prompt: z.string().optional().describe('judge by this prompt instead of the one in the workflow'),
  seed: z.int().min(0).optional().describe('what all seeds follow from'),
  out: z.string().optional().describe('folder of the search, which must not hold one yet'),
});

export const startSearch = tool<z.output<typeof input>>({
  name: 'start_search',
  title: 'Start a search',
  description:
    'Runs a workflow on the diffusion host over and over with other seeds, scores what it makes and keeps the best, in the background. Answers at once with an id; ask search_status how it stands. The host is the one that the user configured.',
  input,
  isReadOnly: false,
  async run({ workflow, resume, out, vary: varied = {}, ...given }, call) {
    const { folders, jobs, signal } = call;
    if ((workflow === undefined) === (resume === undefined))
      throw fail('BAD_REQUEST', { reason: 'give workflow, or resume, and not both' });
    if (resume !== undefined) {
      const extra = [...Object.keys(given).filter((key) => given[key as keyof typeof given] !== undefined)];
      if (out !== undefined || Object.keys(varied).length > 0 || extra.length > 0)
        throw fail('BAD_REQUEST', { reason: 'resume: a search that is gone on with has its own plan' });
    }
    const folder =
      resume === undefined ? await studyFolder(out, 'best', folders) : await folders.existing(resume);
    const { keep, images, minutes, strategy, least, price, by, prompt, seed } = given;
    const plan =
      workflow === undefined
        ? ['--resume']
        : [
            await folders.existing(workflow),
            ...flag('keep', keep),
            ...flag('images', images),
            ...flag('minutes', minutes),
            ...flag('strategy', strategy),
            ...flag('least', least),
            ...flag('price', price),
            ...flag('by', by),
            ...flag('prompt', prompt),
            ...flag('seed', seed),
            ...(await varyArgs(varied, folder)),
          ];
    const measure = (by ?? 'reward').split(',')[0]!.trim();
    const args = ['best', ...plan, ...flag('out', folder), '--format', 'jsonl'];
    const job = jobs.begin({ kind: 'search', args, folder, by: measure });
    await job.started(START_MS, signal);
    return { body: job.report(folders.shown) };
  },
});
