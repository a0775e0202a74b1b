import { z } from 'zod';
import { fail } from '../../../errors/error.ts';
import { flag, studyFolder } from '../search-args.ts';
import { tool } from '../tool.ts';

const START_MS = 15_000;

const input = z.strictObject({
  workflow: z.string().optional().describe('workflow file in the API format of the host'),
  resume: z.string().optional().describe('instead: the folder of a refinement to go on with'),
  prompt: z.string().optional().describe('the original prompt; else the one in the workflow'),
  input: z.string().optional().describe('NODE.INPUT that the prompt goes into, where it is not found'),
  by: z.string().optional().describe('the measure that is to rise: reward (default), quality, alignment'),
  images: z.int().min(1).max(10_000).optional().describe('most images to make (200)'),
  rounds: z.int().min(1).max(100).optional().describe('most rounds of proposals (4)'),
  confirm: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('fresh seeds that the best version is confirmed on (32)'),
  seed: z.int().min(0).optional().describe('what all seeds follow from'),
  out: z.string().optional().describe('folder of the refinement, which must not hold one yet'),
});

export const startRefinement = tool<z.output<typeof input>>({
  name: 'start_refinement',
  title: 'Look for a better prompt',
  description:
    'Tries other versions of a prompt on the diffusion host, in the background, and says whether one is better, confirmed on fresh seeds. Answers at once with an id; ask search_status how it stands.',
  input,
  isReadOnly: false,
  async run({ workflow, resume, out, input: place, ...given }, { folders, jobs, signal }) {
    if ((workflow === undefined) === (resume === undefined))
      throw fail('BAD_REQUEST', { reason: 'give workflow, or resume, and not both' });
    const { prompt, by, images, rounds, confirm, seed } = given;
    const folder =
      resume === undefined ? await studyFolder(out, 'refine', folders) : await folders.existing(resume);
    const plan = [
      ...(workflow === undefined ? ['--resume'] : [await folders.existing(workflow)]),
      ...flag('prompt', prompt),
      ...flag('input', place),
      ...flag('by', by),
      ...flag('images', images),
      ...flag('rounds', rounds),
      ...flag('confirm', confirm),
      ...flag('seed', seed),
    ];
    const args = ['refine', ...plan, ...flag('out', folder), '--format', 'jsonl'];
    const job = jobs.begin({ kind: 'refinement', args, folder, by: by ?? 'reward' });
    await job.started(START_MS, signal);
    return { body: job.report(folders.shown) };
  },
});
