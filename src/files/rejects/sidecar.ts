/** What lies beside every rejected image: where it was, why it is here, and its scores. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ASIDE, writeLasting } from '../../lib/whole-file.ts';
import type { ScoreResult } from '../../types/result.ts';

/** Ending that is added to the image's name. */
export const SIDECAR = '.json';

/** Names of what a process leaves when it dies in the midst of a write. */
export const HALF_SIDECAR = new RegExp(`\\${SIDECAR}${ASIDE.source}`);

const sidecarSchema = z.object({
  version: z.literal(1),
  /** 12 hex digits. */
  id: z.string().regex(/^[0-9a-f]{12}$/),
  /** Absolute path that the image was moved from. */
  original: z.string().min(1),
  /** Address of the host that made it, and the host's name for it. */
  host: z.string(),
  image: z.object({ type: z.enum(['output', 'temp', 'input']), subfolder: z.string(), filename: z.string() }),
  /** Hex digest of the file as it was moved. */
  sha256: z.string(),
  /** ISO 8601. */
  movedAt: z.iso.datetime(),
  reasons: z.array(z.string()),
  result: z.custom<ScoreResult>((value) => typeof value === 'object' && value !== null),
});

export type Sidecar = z.infer<typeof sidecarSchema>;

/** Null for a file that is gone or no sidecar. */
export async function readSidecar(path: string): Promise<Sidecar | null> {
  try {
    return sidecarSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}

/** Written whole or not at all. @throws what the file system throws */
export const writeSidecar = (path: string, sidecar: Sidecar): Promise<void> =>
  writeLasting(path, `${JSON.stringify(sidecar, null, 2)}\n`, 0o600);
