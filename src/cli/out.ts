/** Where a command prints to. */
import { createWriteStream, openSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { reasonOf } from '../errors.ts';
import { usage } from './flags.ts';

/** The file, or the terminal. Opened before any work: a file that cannot be written should not cost it. @throws USAGE */
export function openOut(path: string | undefined): NodeJS.WriteStream {
  if (path === undefined) return process.stdout;
  try {
    return createWriteStream(path, { fd: openSync(path, 'w') }) as unknown as NodeJS.WriteStream;
  } catch (cause) {
    throw usage(`--out: cannot write ${path}: ${reasonOf(cause)}`);
  }
}

/** Waits until all is written; the terminal stays open. */
export async function closeOut(out: NodeJS.WriteStream): Promise<void> {
  if (out !== process.stdout) await finished(out.end());
}
