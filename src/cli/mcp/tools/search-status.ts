import { z } from 'zod';
import { tool } from '../tool.ts';

const input = z.strictObject({
  id: z.string().optional().describe('of the search; else the last one that was started'),
  waitSeconds: z
    .number()
    .min(0)
    .max(45)
    .default(0)
    .describe('how long to wait for something new before answering'),
});

export const searchStatus = tool<z.output<typeof input>>({
  name: 'search_status',
  title: 'How a search stands',
  description:
    'How a search or refinement stands: trials so far, the best image, and when it has ended its winners, why it ended and where its report is.',
  input,
  isReadOnly: true,
  async run({ id, waitSeconds }, { jobs, folders, signal }) {
    const job = jobs.find(id);
    if (waitSeconds > 0) await job.change(waitSeconds * 1000, signal);
    return { body: job.report(folders.shown) };
  },
});
