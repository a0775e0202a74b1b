import { z } from 'zod';
import { tool } from '../tool.ts';

const input = z.strictObject({
  id: z.string().optional().describe('of the search; else the last one that was started'),
});

export const stopSearch = tool<z.output<typeof input>>({
  name: 'stop_search',
  title: 'Stop a search',
  description:
    'Ends a search or refinement with what it has: its winners and report are written, and it can be gone on with by `resume` and its folder.',
  input,
  isReadOnly: false,
  async run({ id }, { jobs, folders }) {
    const job = jobs.find(id);
    await jobs.stop(job);
    return { body: job.report(folders.shown) };
  },
});
