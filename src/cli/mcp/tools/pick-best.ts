import { z } from 'zod';
import { fail } from '../../../errors/error.ts';
import { webpOf } from '../../terminal/small-picture.ts';
import { brief, byValue, figureOf, summaryOf } from '../brief.ts';
import { by, from, paths, prompt, scorer } from '../inputs.ts';
import { rate } from '../rate.ts';
import type { Picture } from '../tool.ts';
import { tool } from '../tool.ts';

/** Pixels of the longer side of a picture: enough to see what it shows. */
const SIDE = 256;
const MOST_PICTURES = 4;
/** Images that were never to be picked, of which it is told why. */
const MOST_REFUSED = 5;

const input = z.strictObject({
  paths,
  prompt,
  by,
  keep: z.int().min(1).max(20).default(1).describe('how many to pick'),
  thumbnails: z
    .boolean()
    .default(false)
    .describe(`whether to show the first ${MOST_PICTURES} picked, at most ${SIDE} pixels large`),
  from,
  scorer,
});

export const pickBest = tool<z.output<typeof input>>({
  name: 'pick_best',
  title: 'Pick the best images',
  description:
    'Picks the best of several images, by reward or an aspect. Images without that number, and those that the policy rejects, are never picked; it says how many and why.',
  input,
  isReadOnly: true,
  async run({ keep, by: measure, thumbnails, ...asked }, call) {
    const rated = await rate(asked, call);
    const valued = rated.rows.filter(({ result }) => figureOf(result, measure) !== null);
    const scored = rated.rows.filter(({ result }) => result.error === null && result.guards.length === 0);
    if (valued.length === 0 && scored.length > 0)
      throw fail('MEASURE_MISSING', {
        measure,
        reason: measure === 'alignment' ? 'no prompt was given or found' : 'the scorer does not give it',
      });
    const fit = valued.filter(({ result }) => result.decision !== 'reject').toSorted(byValue(measure));
    const picked = fit.slice(0, keep);
    const [last, next] = [picked.at(-1), fit[keep]];
    const pictures = thumbnails
      ? await picturesOf(
          picked.map(({ path }) => path),
          call.config,
        )
      : [];
    return {
      body: {
        ...summaryOf(rated),
        by: measure,
        best: picked.map(({ path, result }) => brief(call.folders.shown(path), result)),
        rejected: valued.length - fit.length,
        withoutNumber: rated.rows.length - valued.length,
        ...(fit.length < rated.rows.length && {
          why: rated.rows
            .filter((row) => !fit.includes(row))
            .slice(0, MOST_REFUSED)
            .map(({ path, result }) => brief(call.folders.shown(path), result)),
        }),
        ...(next && last && { nextBest: brief(call.folders.shown(next.path), next.result) }),
        ...(picked.length < keep && { fewer: `${picked.length} of ${keep} wanted` }),
        ...(thumbnails && { shown: `${pictures.length} of ${picked.length}, in this order` }),
      },
      pictures,
    };
  },
});

async function picturesOf(
  paths: readonly string[],
  config: Parameters<typeof webpOf>[1],
): Promise<Picture[]> {
  const made = await Promise.all(paths.slice(0, MOST_PICTURES).map((path) => webpOf(path, config, SIDE)));
  return made.flatMap((data) => (data === null ? [] : [{ data, mimeType: 'image/webp' }]));
}
