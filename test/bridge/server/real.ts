/** A server over the real runtime, with judges that say what the prompt says, and wait when they are told to. */

import { onTestFinished } from 'vitest';
import { startServer } from '../../../src/bridge/server/server.ts';
import { loadConfig } from '../../../src/config.ts';
import { fail } from '../../../src/errors/error.ts';
import { orAbort } from '../../../src/lib/abort.ts';
import { catalogOf } from '../../../src/reward/model/catalog.ts';
import { openRuntime, type Runtime } from '../../../src/runtime.ts';
import type { AspectScore } from '../../../src/types/aspect.ts';
import type { Judge, Judgement } from '../../../src/types/judge.ts';
import { tempFolder } from '../../support/files.ts';
import { picture } from '../../support/images.ts';
import { writeModel } from '../../support/models.ts';
import { ask, type Line, packr, type Reply, type Rig } from './harness.ts';

export interface RealRig extends Rig {
  runtime: Runtime;
  /** Prompts in the order they were judged. */
  judged: string[];
  /** Those that come are not judged before they are let go. */
  hold(): () => void;
}

const quality = (score: number): AspectScore => ({
  ...{ score, range: [0, 5], percentile: score / 5, interval: [score, score], coverage: 0.9 },
  ...{ raw: score * 10, spread: 0.5 },
});

const modelDir = (): string => {
  const folder = tempFolder();
  writeModel(folder);
  return folder;
};

const quiet = { info() {}, warn() {}, error() {}, debug() {}, child: () => quiet };
const QUIET = quiet as never;

/** Keeps warnings. */
const loggingTo = (lines: Line[]) =>
  ({
    ...quiet,
    warn: (fields: object, message: string) => void lines.push({ level: 'warn', message, ...fields }),
  }) as never;

function judgement(words: string, hasAlignment: boolean): Judgement {
  const score = Number(words);
  const alignment = hasAlignment ? quality(5 - score) : null;
  const aspects = { quality: quality(score), alignment, authenticity: null };
  return {
    aspects,
    reward: score / 5,
    foreign: [],
    notes: [],
    truncated: words === '4',
    queueMs: 0,
    inferMs: 1,
  };
}

/** `assay-lite` gives the number in the prompt, 0..5, `test-bright` half of it and no alignment. */
export async function startReal(settings: object = {}): Promise<RealRig> {
  const config = loadConfig(
    { port: 0, dataDir: tempFolder(), scorer: 'assay-lite', modelDirs: [modelDir()], ...settings },
    undefined,
    {},
  );
  const judged: string[] = [];
  let gate = Promise.resolve();
  const judgeOf = (id: string): Judge => ({
    stamp: { id, version: '1.0.0', variant: 'none', weights: `sha256:${id}`, calibration: 'sha256:0' },
    domain: { minSide: 2, maxAspectRatio: 4 },
    fault: null,
    async judge(_pixels, prompt, signal) {
      judged.push(`${prompt}`);
      await orAbort(gate, signal);
      if (prompt === 'fail') throw fail('INFERENCE_FAILED', { scorer: id, reason: 'it is a toy' });
      return id === 'assay-lite'
        ? judgement(prompt ?? '2', prompt !== null)
        : judgement(`${Number(prompt ?? 4) / 2}`, false);
    },
  });
  const real = catalogOf(config);
  const open = async (name = 'assay-lite') => judgeOf(real.find(name).manifest.id);
  const lines: Line[] = [];
  const log = loggingTo(lines);
  const runtime = openRuntime({ config, catalog: { ...real, open: open as never, width: 4 }, log });
  const server = await startServer({ config, log: QUIET, service: runtime, version: '9.9.9' });
  onTestFinished(async () => {
    await server.close({ drainTimeoutMs: 0 });
    await runtime.close();
  });
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    return resolve;
  };
  return { server, runtime, judged, hold, service: undefined as never, lines };
}

let images = 0;

/** An image that no other is like, judged by its prompt. */
export function image(prompt: string | null, more: object = {}): object {
  const { data, width, height } = picture(64, 64);
  data[0] = ++images % 256;
  data[1] = images >> 8;
  return { prompt, image: { format: 'rgb8', width, height, data }, ...more };
}

export const pack = (
  rig: RealRig,
  path: string,
  value: object,
  client = 'test',
  headers = {},
  signal?: AbortSignal,
): Promise<Reply> =>
  ask(rig, path, {
    method: 'POST',
    headers: { 'content-type': 'application/msgpack', 'x-assay-client': client, ...headers },
    body: packr.pack(value),
    ...(signal && { signal }),
  });

export const many = (count: number, prompt = '1'): { items: object[] } => ({
  items: Array.from({ length: count }, () => image(prompt)),
});
