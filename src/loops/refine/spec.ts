/** What a refinement is to do: plain data, kept in its folder. */
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import { plainWords } from '../../lib/issue.ts';

export const refineSchema = z.strictObject({
  version: z.literal(1),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .describe('all seeds of images follow from it'),
  prompt: z.string().min(1).max(10_000).describe('the original'),
  by: z.string().min(1).default('reward').describe('the measure that is to rise'),
  images: z.int().min(1).default(200).describe('most images to make'),
  rounds: z.int().min(1).max(100).default(4).describe('most rounds of proposals'),
  variants: z.int().min(1).max(100).default(6).describe('proposals of a round'),
  seeds: z.int().min(2).max(1000).default(12).describe('seeds that the last variants of a round share'),
  confirm: z
    .int()
    .min(8)
    .max(10_000)
    .default(32)
    .describe('fresh seeds that the best variant is confirmed on'),
  keepWords: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe('least share of the words of the original that a variant must have'),
});

export type RefineSpec = z.infer<typeof refineSchema>;

/** Variants and seeds of a stage of a round. */
export interface Rung {
  variants: number;
  seeds: number;
}

/** Each stage has half of the variants on twice the seeds. */
export function ladderOf({ seeds }: Pick<RefineSpec, 'seeds'>, variants: number): Rung[] {
  return [4, 2, 1].map((part) => ({
    variants: Math.ceil((variants * part) / 4),
    seeds: Math.ceil(seeds / part),
  }));
}

/** Images that a round takes beside those of the original. */
export const roundCost = (spec: RefineSpec, variants = spec.variants): number =>
  ladderOf(spec, variants).reduce(
    (sum, { variants: n, seeds }, i, all) => sum + n * (seeds - (all[i - 1]?.seeds ?? 0)),
    0,
  );

/** The original on all seeds, one round, and the confirmation. */
export const leastImages = (spec: RefineSpec): number => spec.seeds + roundCost(spec) + 2 * spec.confirm;

/**
 * A spec with its defaults.
 *
 * @throws STUDY_INVALID naming the field
 */
export function refineSpecOf(given: unknown): RefineSpec {
  const parsed = refineSchema.safeParse(given);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw fail('STUDY_INVALID', { field: path.join('.'), reason: plainWords(message) });
  }
  const spec = parsed.data;
  const least = leastImages(spec);
  if (spec.images >= least) return spec;
  const reason = `expected at least ${least}, found ${spec.images}: ${spec.seeds} of the original, ${roundCost(spec)} of one round, ${2 * spec.confirm} to confirm`;
  throw fail('STUDY_INVALID', { field: 'images', reason });
}
