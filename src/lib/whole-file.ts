/** A file that is written aside, then put in place: a reader never sees half of it, and a failure leaves the older one. */
import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';

/** Ending of what stands aside; left behind only by a process that died over it. */
export const ASIDE = /\.[0-9a-f]{8}\.tmp$/;

const asideOf = (path: string): string => `${path}.${randomUUID().slice(0, 8)}.tmp`;

/** @throws what the file system throws */
export function writeWhole(path: string, text: string, mode = 0o666): void {
  const aside = asideOf(path);
  try {
    writeFileSync(aside, text, { flag: 'wx', mode });
    renameSync(aside, path);
  } catch (error) {
    discard(aside);
    throw error;
  }
}

/** The same for what must survive a power cut: it is on the disk before it has its name. @throws what the file system throws */
export async function writeLasting(path: string, contents: string | Uint8Array, mode = 0o666): Promise<void> {
  const aside = asideOf(path);
  try {
    const handle = await open(aside, 'wx', mode);
    try {
      await handle.writeFile(contents);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // it was never there
  }
}
