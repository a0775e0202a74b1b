/** A watch in this process on a host in memory, with a real store, folder and reject bin. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AssayError } from '../../../src/errors/error.ts';
import { openOutputFolder } from '../../../src/files/output-folder.ts';
import { openRejectBin } from '../../../src/files/rejects/bin.ts';
import type { OutputRow } from '../../../src/host.ts';
import { leaveReason, type Names } from '../../../src/loops/watch/choice.ts';
import type { Tagger, WatchedImage, WatchParts } from '../../../src/loops/watch/ports.ts';
import { watch } from '../../../src/loops/watch/watch.ts';
import type { Store } from '../../../src/store/store.ts';
import type { ScoreResult } from '../../../src/types/result.ts';
import { allPages, openedStore, until } from '../../store/helpers.ts';
import { tempFolder } from '../../support/files.ts';
import { type MemoryHost, memoryHost, scoreByText } from './memory-host.ts';

/** A choice that names nothing. */
export const ALL: Names = { folders: [], prefixes: [], nodes: [] };

/** Appends to the file what it was judged. */
export const tagger: Tagger = {
  tagged: (bytes, _output, { decision }) => Buffer.concat([bytes, Buffer.from(` [${decision}]`)]),
  async write(path, output, result) {
    const copy = `${path}.tmp`;
    writeFileSync(copy, tagger.tagged(readFileSync(path), output, result));
    renameSync(copy, path);
  },
};

export interface Running {
  /** Stops it as SIGTERM does, and waits. */
  stop(): Promise<void>;
  /** Its end; rejects when it fails. */
  ended: Promise<void>;
  images: WatchedImage[];
  troubles: AssayError[];
  /** Files left alone, with the reason. */
  left: string[];
}

/** One place with a host, a data folder and an output folder; any number of watches after one another. */
export function site() {
  const folder = tempFolder();
  const [outputs, rejects] = [join(folder, 'outputs'), join(folder, 'rejects')];
  mkdirSync(outputs);
  const host: MemoryHost = memoryHost();
  const { store } = openedStore(join(folder, 'data'));
  const bin = openRejectBin(rejects);

  function files(): NonNullable<WatchParts['files']> {
    const entry = (output: OutputRow, result: ScoreResult) => ({
      host: host.url,
      image: output,
      at: output.at,
      sha256: output.sha256!,
      result,
    });
    return {
      folder: openOutputFolder(outputs, { writable: true, maxImageBytes: 1e6, leftovers: /\.tmp$/ }),
      bin: {
        holds: (output, result) => bin.holds(entry(output, result)),
        put: (path, output, result) => bin.put(path, entry(output, result)),
      },
      tagger,
    };
  }

  /** Starts a watch with these changes to its parts. */
  function start(changes: Partial<WatchParts> = {}): Running {
    const controller = new AbortController();
    const [images, troubles, left]: [WatchedImage[], AssayError[], string[]] = [[], [], []];
    const parts: WatchParts = {
      host,
      ledger: store.ledger(host.url),
      score: scoreByText,
      actions: { accept: 'keep', unsure: 'keep', reject: 'keep' },
      outputsOnly: false,
      leaves: leaveReason({ only: ALL, not: ALL, judgeMaps: false }),
      once: false,
      onImage: (image) => images.push(image),
      onLeft: (name, reason) => left.push(`${name}: ${reason}`),
      onTrouble: (error) => troubles.push(error),
      ...changes,
      pace: { retryMs: 5, actionRetryMs: 20, drainMs: 1000, folderGapMs: 5, ...changes.pace },
    };
    const ended = watch(parts, controller.signal);
    ended.catch(() => {});
    const stop = () => {
      controller.abort();
      return ended;
    };
    onTestFinished(() => stop().catch(() => {}));
    return { stop, ended, images, troubles, left };
  }

  return {
    folder,
    outputs,
    rejects,
    host,
    store,
    bin,
    files,
    start,
    once: (changes: Partial<WatchParts> = {}) => start({ once: true, ...changes }).ended,
  };
}

/** Names in the history, in the order they were recorded. */
export const recorded = (store: Store): string[] =>
  allPages(store)
    .map((entry) => entry.result.source!)
    .reverse();

/** Also when the history cannot be read for some time. */
export function recordedAre(store: Store, names: string[]): Promise<void> {
  const wanted = names.toSorted().join();
  return until(`${wanted} in the history`, () => {
    try {
      return recorded(store).toSorted().join() === wanted;
    } catch {
      return false;
    }
  });
}

/** Stands in for the looks that a host is given now and then. */
export function keepTelling(host: MemoryHost): void {
  const timer = setInterval(() => host.tell('changed'), 20);
  onTestFinished(() => clearInterval(timer));
}

/** Writes a file into an output folder. */
export function put(outputs: string, name: string, text: string): string {
  const path = join(outputs, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}
