/** Reward profiles: which scores make a reward, on which scale, and what a missing one means to a trainer. */
import { z } from 'zod';
import { ASPECTS } from '../types/aspect.ts';
import type { GuardName } from '../types/guard.ts';
import type { Affine, Profile, ProfileTerm } from '../types/profile.ts';

const GUARD_NAMES = ['blank', 'noise', 'corrupt', 'out-of-domain'] as const satisfies readonly GuardName[];

/** So that no reward, and no square of one, leaves the numbers. */
const modest = z.number().min(-1e9).max(1e9);

const affine: z.ZodType<Affine> = z.strictObject({
  of: z
    .enum(['score', 'raw', 'percentile'])
    .describe('the calibrated score, what the model said, or its percentile'),
  subtract: modest.default(0),
  divide: modest.refine((value) => Math.abs(value) >= 1e-9, 'expected another number than 0').default(1),
});

/**
 * Scales by name. Those with a dot are what trainers do with a model's own output, which users' weights assume; `raw` of
 * the scorer must then be that output (PickScore's and CLIP's logits, for one).
 */
export const SCALES = {
  score: { of: 'score', subtract: 0, divide: 1 },
  raw: { of: 'raw', subtract: 0, divide: 1 },
  percentile: { of: 'percentile', subtract: 0, divide: 1 },
  'flow_grpo.pickscore': { of: 'raw', subtract: 0, divide: 26 },
  'flow_grpo.clipscore': { of: 'raw', subtract: 0, divide: 30 },
  'flow_grpo.unifiedreward': { of: 'raw', subtract: 0, divide: 5 },
  'flow_grpo.deqa': { of: 'raw', subtract: 0, divide: 5 },
  'unirl.imagereward': { of: 'raw', subtract: -2, divide: 4 },
  'unirl.hpsv3': { of: 'raw', subtract: 0, divide: 15 },
  'unirl.pickscore': { of: 'raw', subtract: 0, divide: 26 },
  'unirl.clip': { of: 'raw', subtract: 0, divide: 30 },
} as const satisfies Record<string, Affine>;
export type ScaleName = keyof typeof SCALES;

const scale = z
  .union([z.enum(['range', ...(Object.keys(SCALES) as ScaleName[])]), affine])
  .describe('`range` (its range becomes 0..1), another name of the table, or `{of, subtract, divide}`');

const term = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-zA-Z0-9][\w.@/-]{0,63}$/, 'expected up to 64 letters, digits, ., @, /, _ or -')
      .optional()
      .describe('of the component in answers; scorer and aspect when absent'),
    scorer: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe('id, or id@version; the configured default when absent'),
    aspect: z
      .enum(ASPECTS)
      .optional()
      .describe("an aspect of it; the scorer's own reward, 0..1, when absent"),
    weight: modest.default(1),
    scale: scale.default('range'),
  })
  .refine(({ aspect, scale }) => aspect !== undefined || scale === 'range', {
    path: ['scale'],
    error: "expected an aspect beside it; a scorer's own reward has no other scale",
  });

/** What the component of a term is called. */
export const termName = ({ name, scorer, aspect }: ProfileTerm): string =>
  name ?? ([scorer, aspect].filter((part) => part !== undefined).join('.') || 'reward');

export const profileSchema = z.strictObject({
  terms: z
    .array(term)
    .min(1)
    .max(16)
    .refine(
      (terms) => new Set(terms.map(termName)).size === terms.length,
      'expected a name of its own for each term',
    )
    .describe('the reward is their weighted sum'),
  missing: z
    .union([z.enum(['leave-out', 'worst']), z.strictObject({ floor: modest })])
    .default('leave-out')
    .describe('reward of an image without one: none, the worst of its group, or `{floor}`'),
  guards: z
    .array(z.enum(GUARD_NAMES))
    .default([...GUARD_NAMES])
    .describe('guards that leave an image without a reward'),
}) satisfies z.ZodType<Profile>;

/** Routes in the shape of other reward servers. */
export const COMPAT = ['unirl', 'flow-factory'] as const;

export const profileName = z
  .string()
  .regex(/^[\w.@-]{1,64}$/, 'expected 1 to 64 letters, digits, ., @, _ or -');

export const rewardsSchema = z.strictObject({
  profile: profileName.default('default').describe('profile of requests that name none'),
  profiles: z
    .record(profileName, profileSchema)
    .default({})
    .describe('reward profiles by name; `default`, unless it is here, is the reward of the default scorer'),
  compat: z
    .array(z.enum(COMPAT))
    .default([])
    .describe('routes in the shape of other reward servers that are switched on'),
});
