/** Fields that several tools have in common. */
import { z } from 'zod';
import { MEASURES } from './brief.ts';

export const paths = z
  .array(z.string().min(1))
  .min(1)
  .max(200)
  .describe(
    'image files, or folders, which are searched with all below them; relative ones to the first allowed folder',
  );

export const prompt = z
  .string()
  .optional()
  .describe('what the images were to show, one text for all; else it is looked for in each file');

export const scorer = z
  .string()
  .optional()
  .describe('id of a scorer as list_scorers tells it; else the default');

export const from = z
  .int()
  .min(0)
  .default(0)
  .describe('where to go on: the `next` of the call before, with the same paths');

export const by = z
  .enum(MEASURES)
  .default('reward')
  .describe('what makes an image better than another; alignment needs a prompt');
