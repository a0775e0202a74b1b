/** The note in an installed folder that says what was put there: its version, and each file with its hash. */
import { readFileSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import type { Pack } from './pack.ts';

export const RECORD = '.assay-install.json';

/** What is named here may be removed one day, so that nothing outside the folder may be named. */
const inside = (path: string): boolean =>
  !isAbsolute(path) && !/[\\:]/.test(path) && path.split('/').every((part) => !/^\.{0,2}$/.test(part));

const recordSchema = z.object({
  version: z.string(),
  /** sha256 in hex by relative path. */
  files: z.record(z.string().refine(inside), z.string().regex(/^[0-9a-f]{64}$/)),
});

export type InstallRecord = z.infer<typeof recordSchema>;

/** The record of a folder; undefined when there is none that can be read. */
export function readRecord(folder: string): InstallRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(join(folder, RECORD), 'utf8')));
  } catch {
    return undefined; // then the folder counts as someone else's
  }
}

export function writeRecord(folder: string, pack: Pack): void {
  const record: InstallRecord = { version: pack.version, files: Object.fromEntries(pack.files) };
  writeFileSync(join(folder, RECORD), `${JSON.stringify(record, null, 2)}\n`);
}
