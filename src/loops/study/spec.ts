/** What a study is to do: plain data, kept in its folder and sent by clients alike. */
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import { plainWords } from '../../lib/issue.ts';
import { STRATEGIES, type StrategyName } from '../strategies/table.ts';

const value = z.union([z.string(), z.number(), z.boolean()]);

const axisSchema = z.union([
  z.strictObject({ values: z.array(value).min(1) }),
  z
    .strictObject({ low: z.number(), high: z.number(), whole: z.boolean().default(false) })
    .refine(({ low, high }) => low < high, 'low must be below high'),
]);
/** What a parameter may be: one of a list, or any number of a range. */
export type Axis = z.infer<typeof axisSchema>;

const strategyNames = Object.keys(STRATEGIES) as [StrategyName, ...StrategyName[]];

export const specSchema = z.strictObject({
  version: z.literal(1),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .describe('all that the study draws follows from it'),
  prompt: z.string().nullable().default(null),
  axes: z
    .record(z.string(), axisSchema)
    .default({})
    .describe('what is varied beside the seed, by name; `prompt` is the prompt'),
  strategy: z
    .looseObject({ name: z.enum(strategyNames) })
    .default({ name: 'best-of-n' })
    .describe('by name, with its options'),
  pick: z.array(z.string()).min(1).default(['reward']).describe('a measure; several make a rank ensemble'),
  keep: z.int().min(1).default(1).describe('images to keep'),
  images: z.number().gt(0).default(60).describe('most work, in whole images'),
  minutes: z.number().gt(0).optional(),
  price: z
    .strictObject({ amount: z.number().gt(0), of: z.enum(['score', 'spread']) })
    .optional()
    .describe('least expected gain that one more image is worth: in units of the pick, or of its spread'),
  expected: z
    .strictObject({ mean: z.number(), spread: z.number().gt(0) })
    .optional()
    .describe('what is known beforehand of the value of any image: makes the price count sooner'),
});

export type StudySpec = z.infer<typeof specSchema>;

/**
 * A spec with its defaults.
 *
 * @throws STUDY_INVALID naming the field
 */
export function specOf(given: unknown): StudySpec {
  const parsed = specSchema.safeParse(given);
  if (!parsed.success) throw invalid('', parsed.error);
  const { name, ...options } = parsed.data.strategy;
  const strategy = STRATEGIES[name].options.safeParse(options);
  if (!strategy.success) throw invalid('strategy.', strategy.error);
  STRATEGIES[name].check?.(parsed.data, strategy.data as never);
  return { ...parsed.data, strategy: { name, ...strategy.data } };
}

function invalid(before: string, error: z.ZodError) {
  const { path, message } = error.issues[0]!;
  return fail('STUDY_INVALID', { field: before + path.join('.'), reason: plainWords(message) });
}
