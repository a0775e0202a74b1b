/** Names that survive a power cut. */
import { open } from 'node:fs/promises';

/** Makes the names that a folder holds now last; not every platform can. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
