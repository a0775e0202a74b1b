/** A host in memory, and a scorer that tells its scores by the bytes: for tests of the watching alone. */
import { createHash } from 'node:crypto';
import { fail } from '../../../src/errors/error.ts';
import type { Host, HostFile, HostRun, RunImage } from '../../../src/host.ts';
import type { ScoreItem } from '../../../src/types/request.ts';
import type { ScoreResult } from '../../../src/types/result.ts';
import { failedResult, result } from '../../store/helpers.ts';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const keyOf = ({ type, subfolder, filename }: HostFile): string => `${type} ${subfolder} ${filename}`;

const absent = (): never => {
  throw new Error('watching must not call this');
};

/** `prompt`: the words that were found in the workflow. */
type Changes = Partial<HostRun> & Partial<Omit<RunImage, 'prompt'>> & { prompt?: string | null };

export const wordsFound = (prompt: string | null) => ({
  ...{ prompt, negative: null, from: 'workflow node 6', original: null, certain: true, reason: null },
});

export interface MemoryHost extends Host {
  away: boolean;
  /** Files by their key; what is absent is gone. */
  files: Map<string, Uint8Array>;
  history: HostRun[];
  /** Sizes of the pages asked for. */
  pages: (number | undefined)[];
  fetched: string[];
  /** Called before each fetch; what it throws is the answer. */
  onFetch: (file: HostFile) => void | Promise<void>;
  /** Ends a run with these images; text stands for bytes. */
  run(images: Record<string, string | null>, changes?: Changes): HostRun;
  tell(change: 'changed' | 'back'): void;
}

export function memoryHost(url = 'http://127.0.0.1:8188'): MemoryHost {
  let [ids, told] = [0, [] as ('changed' | 'back')[]];
  let wake = () => {};
  const unreachable = () => fail('HOST_UNREACHABLE', { url, reason: 'away' });
  const host: MemoryHost = {
    url,
    warnings: { malformedFrames: 0, unknownFrames: 0, reconnects: 0, tooLarge: 0 },
    away: false,
    files: new Map(),
    history: [],
    pages: [],
    fetched: [],
    onFetch: () => {},
    run(images, changes = {}) {
      const {
        type = 'output',
        subfolder = '',
        node = '9',
        replayed = false,
        prompt = 'a cat',
        maker = { type: 'SaveImage', title: null, map: null },
        left = [],
        ...run
      } = changes;
      const list = Object.entries(images).map(([filename, bytes]) => {
        const file = { type, subfolder, filename };
        if (bytes !== null) host.files.set(keyOf(file), Buffer.from(bytes));
        return { ...file, node, replayed, maker, prompt: wordsFound(prompt) };
      });
      const ended: HostRun = {
        id: `run-${++ids}`,
        status: 'success',
        images: list,
        left,
        error: null,
        endedAt: ids,
        ...run,
      };
      host.history.push(ended);
      return ended;
    },
    tell(change) {
      told.push(change);
      wake();
    },
    describe: async () => ({ kind: 'test', version: '1', notes: [] }),
    submit: absent,
    follow: absent,
    cancel: absent,
    async runs(_signal, newest) {
      host.pages.push(newest);
      if (host.away) throw unreachable();
      return newest === undefined ? [...host.history] : host.history.slice(-newest);
    },
    async queued() {
      if (host.away) throw unreachable();
      return [];
    },
    async *changes(_pollMs, signal) {
      while (!signal.aborted) {
        const next = told.shift();
        if (next) yield next;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
      }
      signal.throwIfAborted();
    },
    async fetchFile(file) {
      if (host.away) throw unreachable();
      host.fetched.push(file.filename);
      await host.onFetch(file);
      const bytes = host.files.get(keyOf(file));
      if (!bytes) throw fail('IMAGE_GONE', { name: file.filename, url });
      return bytes;
    },
    async close() {},
  };
  return host;
}

/** Scores bytes `bad…` as reject, `odd…` as unsure, all others as accept. */
export async function scoreByText(item: ScoreItem, signal: AbortSignal): Promise<ScoreResult> {
  const { id, source, found } = item;
  const prompt = found?.prompt ?? null;
  try {
    const { bytes } = await item.fetch(signal);
    const text = Buffer.from(bytes).toString();
    const decision = text.startsWith('bad') ? 'reject' : text.startsWith('odd') ? 'unsure' : 'accept';
    const reasons = decision === 'reject' ? ['quality 1.00 is below 2.00'] : [];
    return result({ id, source, prompt, sha256: sha256(bytes), decision, reasons });
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return failedResult({ id, source, prompt, error: { code, message } });
  }
}
