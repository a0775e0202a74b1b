/** What is kept in a file: the JSON under the key `assay`. */
import { z } from 'zod';
import type { Aspect } from '../../types/aspect.ts';
import type { ScoreResult } from '../../types/result.ts';

/** Longest text that is read as a record, in characters. */
export const MAX_TEXT = 64 * 1024;

const pair = z.tuple([z.number(), z.number()]);

const aspectSchema = z.looseObject({
  score: z.number().describe('predicted mean opinion score'),
  range: pair.describe('lowest and highest possible score'),
  percentile: z
    .number()
    .nullable()
    .describe('share of reference images that score lower, 0..1; null when not calibrated'),
  interval: pair.nullable().describe('prediction interval of the score; null when not calibrated'),
  coverage: z.number().nullable().describe('share of human ratings inside the interval; null without one'),
});

const scorerSchema = z.looseObject({
  id: z.string(),
  version: z.string(),
  variant: z.string(),
  weights: z.string().describe('`sha256:<hex>` of the weights'),
  calibration: z.string().describe('`sha256:<hex>` of the calibration'),
});

/** Objects are loose: a later Assay may add fields, and they survive reading. */
export const recordSchema = z.looseObject({
  version: z.literal(1).describe('raised only when a reader of the older one would misread it'),
  assay: z.string().describe('version of Assay that wrote it'),
  at: z.iso.datetime().describe('when it was written, UTC'),
  sha256: z.string().describe('hex digest of the bytes that were scored: the file before this was written'),
  scorer: scorerSchema,
  aspects: z
    .looseObject({
      quality: aspectSchema.optional(),
      alignment: aspectSchema.optional(),
      authenticity: aspectSchema.optional(),
    } satisfies Record<Aspect, unknown>)
    .describe('only those that the scorer predicts'),
  reward: z.number().nullable().describe('0..1; null when a guard tripped'),
  guards: z.array(z.looseObject({ guard: z.string(), message: z.string() })),
  decision: z.enum(['accept', 'reject', 'unsure']),
  reasons: z.array(z.string()).describe('why, for people'),
});

/** A score as a file carries it. */
export type ScoreRecord = z.infer<typeof recordSchema>;

/**
 * The record of a result; null when the image was not scored.
 *
 * @param assay version of Assay
 */
export function recordOf(result: ScoreResult, assay: string, at = new Date()): ScoreRecord | null {
  const { scorer, aspects, sha256, decision, reward, guards, reasons } = result;
  if (result.error || !scorer || !aspects || !sha256 || !decision) return null;
  const known = Object.fromEntries(Object.entries(aspects).filter(([, found]) => found !== null));
  return {
    version: 1,
    assay,
    at: at.toISOString(),
    sha256,
    scorer: { ...scorer },
    aspects: known,
    reward,
    guards: guards.map((g) => ({ ...g })),
    decision,
    reasons,
  };
}

/** JSON in printable ASCII without `<`, `>` and `&`: the same text fits every format, and XML as it is. */
export const recordText = (record: ScoreRecord): string =>
  JSON.stringify(record).replace(
    /[<>&\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** The record in a text; null when it is damaged, foreign, or of a later version. */
export function parseRecord(text: string): ScoreRecord | null {
  if (text.length > MAX_TEXT) return null;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
