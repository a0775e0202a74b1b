/** The folder of a study that a client drives: `client-study.json`, and the journal of every study. */
import { z } from 'zod';
import { policySchema } from '../../config.ts';
import type { FolderKind, StudyFolder } from './folder.ts';
import { specSchema } from './spec.ts';
import type { StudyEvent } from './types.ts';

const planSchema = z.strictObject({
  version: z.literal(1),
  /** Version of Assay that began it. */
  assay: z.string(),
  /** ISO 8601. */
  begun: z.iso.datetime(),
  scorer: z.string().optional(),
  /** `id@version` of the scorer that judges, whichever is the default later: figures of two are not compared. */
  judge: z.string().optional(),
  policy: policySchema.optional(),
  spec: specSchema,
});
export type ClientPlan = z.infer<typeof planSchema>;

/** `marks`: what the telling is known by when it comes again. */
export type ClientEvent = StudyEvent & { marks?: readonly string[] };
export type ClientFolder = StudyFolder<ClientPlan, ClientEvent>;

export const CLIENT_STUDY: FolderKind<ClientPlan> = { file: 'client-study.json', schema: planSchema };
