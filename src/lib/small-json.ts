/** Small files of ours that may be lost: whoever cannot read or write one does without. */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { createFolder } from './folder.ts';
import { writeWhole } from './whole-file.ts';

/** A file larger than this is none of ours. */
const MOST_BYTES = 64 * 2 ** 10;

/** Undefined for one that is absent, or not as it should be. */
export function readSmallJson<T extends z.ZodType>(path: string, schema: T): z.infer<T> | undefined {
  try {
    if (statSync(path).size > MOST_BYTES) return undefined;
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

export function writeSmallJson(path: string, value: object): void {
  try {
    createFolder(dirname(path), 0o700);
    writeWhole(path, `${JSON.stringify(value, null, 1)}\n`, 0o600);
  } catch {
    // it is written another time
  }
}
