/**
 * The pictures of the answers: hosts of this family save nothing for a request unless asked to, and what they save is
 * named nowhere. So a run's pictures are kept here, for as long as there is room.
 */
import type { HostFile } from '../../../../host.ts';

export interface Shelf {
  put(run: string, filename: string, bytes: Uint8Array): HostFile;
  /** Undefined when it is not there any more. */
  get(file: HostFile): Uint8Array | undefined;
}

/** The newest run is kept whole, however large. */
const MOST_BYTES = 2 ** 28;

export function createShelf(mostBytes = MOST_BYTES): Shelf {
  const runs = new Map<string, Map<string, Uint8Array>>();
  let size = 0;

  function makeRoom(): void {
    for (const [run, files] of runs) {
      if (size <= mostBytes || runs.size === 1) return;
      for (const bytes of files.values()) size -= bytes.length;
      runs.delete(run);
    }
  }

  return {
    put(run, filename, bytes) {
      const files = runs.get(run) ?? new Map();
      runs.set(run, files.set(filename, bytes));
      size += bytes.length;
      makeRoom();
      return { filename, subfolder: run, type: 'temp' };
    },
    get: ({ filename, subfolder, type }) =>
      type === 'temp' ? runs.get(subfolder)?.get(filename) : undefined,
  };
}
