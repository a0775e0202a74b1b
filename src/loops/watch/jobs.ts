/** Images and actions that wait for their turn: a few at a time, one at a time of each file. */
import type { HostFile, HostRun, RunImage } from '../../host.ts';

export interface ImageJob {
  /** As the ledger names it. */
  file: HostFile;
  /** As the host names it; null: it was found in the folder. */
  image: RunImage | null;
  promptId: string | null;
  /** Unix milliseconds when the run ended; null when it is not known. */
  endedAt: number | null;
  /** Unix milliseconds of the last change, when it was found in the folder. */
  mtimeMs: number;
}

/** The host may use the other slash; one file has one name in the ledger. */
export const tidy = ({ type, subfolder, filename }: HostFile): HostFile => ({
  type,
  subfolder: subfolder
    .split(/[/\\]/)
    .filter((part) => part !== '' && part !== '.')
    .join('/'),
  filename,
});

export const keyOf = ({ type, subfolder, filename }: HostFile): string =>
  JSON.stringify([type, subfolder, filename]);

/** Name for people. */
export const nameOf = ({ type, subfolder, filename }: HostFile): string =>
  [...(type === 'output' ? [] : [type]), ...(subfolder ? [subfolder] : []), filename].join('/');

/** The images of a run that are scored. */
export const jobsOf = (run: HostRun, outputsOnly: boolean): ImageJob[] =>
  run.images
    .filter(({ type }) => type === 'output' || (type === 'temp' && !outputsOnly))
    .map((image) => ({ file: tidy(image), image, promptId: run.id, endedAt: run.endedAt, mtimeMs: 0 }));

type Work = () => Promise<void>;

export interface Lanes {
  has(key: string): boolean;
  /** `work` must not reject. What waits with the same key makes way for it. */
  add(key: string, work: Work): void;
  /** Resolves when nothing waits and nothing is in work. */
  idle(): Promise<void>;
  /** Forgets what waits; what is in work goes on. */
  stop(): void;
}

/** @param width most jobs in work */
export function createLanes(width: number): Lanes {
  const waiting = new Map<string, Work>();
  const busy = new Set<string>();
  let idlers: (() => void)[] = [];
  let stopped = false;

  /** The first that waits and whose file is free; at most `width` files are not. */
  function take(): [string, Work] | undefined {
    for (const entry of waiting) if (!busy.has(entry[0])) return entry;
    return undefined;
  }

  function pump(): void {
    for (let next = take(); next && busy.size < width; next = take()) {
      const [key, work] = next;
      waiting.delete(key);
      busy.add(key);
      void work().finally(() => {
        busy.delete(key);
        pump();
      });
    }
    if (waiting.size + busy.size > 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  return {
    has: (key) => waiting.has(key) || busy.has(key),
    add(key, work) {
      if (stopped) return;
      waiting.set(key, work);
      // After the caller has added its whole page: of two jobs of one file only the newer one is wanted.
      queueMicrotask(pump);
    },
    idle: () =>
      waiting.size + busy.size === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve)),
    stop() {
      stopped = true;
      waiting.clear();
      pump();
    },
  };
}
