/** The folder of a refinement: as that of a study, with `refinement.json` in place of `study.json`. */
import { z } from 'zod';
import { begunSchema, type FolderKind, type StudyFolder } from '../study/folder.ts';
import { refineSchema } from './spec.ts';
import type { RefineEvent } from './types.ts';

const planSchema = z.strictObject({
  ...begunSchema.shape,
  /** Inputs that get the prompt. */
  inputs: z.array(z.string()).min(1),
  /** The language model that proposes; the key is never kept. */
  endpoint: z.strictObject({ url: z.string(), model: z.string() }).optional(),
  spec: refineSchema,
});
export type RefinePlan = z.infer<typeof planSchema>;
export type RefineFolder = StudyFolder<RefinePlan, RefineEvent>;

export const REFINEMENT: FolderKind<RefinePlan> = { file: 'refinement.json', schema: planSchema };
