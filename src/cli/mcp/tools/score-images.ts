import { z } from 'zod';
import { brief, byValue, summaryOf } from '../brief.ts';
import { by, from, paths, prompt, scorer } from '../inputs.ts';
import { rate } from '../rate.ts';
import { tool } from '../tool.ts';

const MOST_ROWS = 50;

const input = z.strictObject({
  paths,
  prompt,
  by,
  limit: z.int().min(1).max(MOST_ROWS).default(20).describe('images to list, best first'),
  from,
  scorer,
});

export const scoreImages = tool<z.output<typeof input>>({
  name: 'score_images',
  title: 'Score images',
  description:
    'Predicts how people would rate images: quality, alignment with the prompt, authenticity, percentile and reward of each, best first, and a summary of all. Says what was skipped, refused or left for another call.',
  input,
  isReadOnly: true,
  async run({ limit, by: measure, ...asked }, call) {
    const rated = await rate(asked, call);
    const listed = rated.rows.toSorted(byValue(measure)).slice(0, limit);
    const left = rated.rows.length - listed.length;
    return {
      body: {
        ...summaryOf(rated),
        by: measure,
        images: listed.map(({ path, result }) => brief(call.folders.shown(path), result)),
        ...(left > 0 && {
          notListed: `${left} more that are not better; a higher limit lists up to ${MOST_ROWS}`,
        }),
      },
    };
  },
});
