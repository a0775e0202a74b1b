/** What a judge elsewhere was calibrated to: a file in the data folder, which `assay calibrate ratings` writes. */
import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { reasonOf } from '../../errors/error.ts';
import { calibrationSchema } from '../calibrate.ts';

/** What its answers were read by: a calibration of one says nothing of the other. */
export const READS = ['probabilities', 'words'] as const;
export type Reads = (typeof READS)[number];

const storedSchema = z.strictObject({
  version: z.literal(1),
  /** The stamp of the judge that was measured. */
  weights: z.string(),
  reads: z.enum(READS),
  fittedOn: z.string(),
  at: z.iso.datetime(),
  aspects: calibrationSchema.shape.aspects,
});
export type Stored = z.infer<typeof storedSchema>;

export const calibrationFolder = (dataDir: string): string => join(dataDir, 'judges');
export const calibrationFile = (dataDir: string, id: string): string =>
  join(calibrationFolder(dataDir), `${id}.json`);

export interface Known {
  stored: Stored | null;
  /** Of the file; `none` without one. */
  digest: string;
  /** Why there is none, or why it counts for nothing; null when it counts. */
  lack: string | null;
}

/** The calibration of a judge, where it is of this judge. @param weights its stamp */
export function readStored(path: string, weights: string): Known {
  const none = (lack: string): Known => ({ stored: null, digest: 'none', lack });
  if (!existsSync(path)) return none('it is not calibrated');
  try {
    const text = readFileSync(path, 'utf8');
    const stored = storedSchema.parse(JSON.parse(text));
    if (stored.weights !== weights)
      return none('its calibration is of another model, address or way of asking');
    return { stored, digest: `sha256:${hash('sha256', text)}`, lack: null };
  } catch (error) {
    return none(`its calibration cannot be read (${path}: ${reasonOf(error)})`);
  }
}
