/** A Service that scores by arithmetic on the bytes, and can be slow, failing or unready on demand. */
import { createHash } from 'node:crypto';
import { type AssayError, fail, toAssayError } from '../../../src/errors/error.ts';
import type { AspectScore } from '../../../src/types/aspect.ts';
import type { HistoryQuery } from '../../../src/types/history.ts';
import type { ImageInput } from '../../../src/types/image.ts';
import type { ScoreItem, ScoreRequest } from '../../../src/types/request.ts';
import type { ScoreResult } from '../../../src/types/result.ts';
import type { ScorerInfo } from '../../../src/types/scorer.ts';
import type { Service } from '../../../src/types/service.ts';

export interface FakeService extends Service {
  /** Requests in the order they came. */
  requests: ScoreRequest[];
  queries: HistoryQuery[];
  /** Scorers that were to give their memory back. */
  released: string[];
  /** While set, every request waits for it. */
  hold: Promise<void> | null;
  /** Thrown by `score`, `rank` and `history`. */
  error: unknown;
  unready: string | null;
  /** Changes each result before it is answered. */
  tweak: (result: ScoreResult) => ScoreResult;
  publish(result: ScoreResult, client: string): void;
  readonly subscribers: number;
}

const SCORER: ScorerInfo = {
  id: 'fake',
  version: '1.0.0',
  title: 'Fake scorer',
  license: 'Apache-2.0',
  backend: 'onnx',
  folder: 'models/fake',
  default: true,
  loaded: true,
  variant: 'fp32',
  provider: 'cpu',
  providerNotes: [],
  problem: null,
  notes: [],
  aspects: ['quality'],
  needsPrompt: false,
  graphs: [],
};

const aspect = (share: number): AspectScore => ({
  score: share * 5,
  range: [0, 5],
  percentile: share,
  interval: [0, 5],
  coverage: 0.9,
});

/** 0..1 from the first byte: the tests choose it. */
export function resultOf(id: string, share: number): ScoreResult {
  return {
    id,
    source: null,
    sha256: null,
    width: 1,
    height: 1,
    prompt: null,
    promptSource: null,
    scorer: { id: 'fake', version: '1.0.0', variant: 'fp32', weights: 'sha256:0', calibration: 'sha256:0' },
    aspects: { quality: aspect(share), alignment: null, authenticity: null },
    reward: share,
    guards: [],
    decision: 'accept',
    reasons: [],
    notes: [],
    timings: { decodeMs: 1, queueMs: 2, inferMs: 3, totalMs: 6 },
    error: null,
  };
}

function scored(item: ScoreItem, image: ImageInput): ScoreResult {
  const raw = image.kind === 'raw' ? image : null;
  if (raw && raw.bytes.length !== raw.width * raw.height * (raw.format === 'rgb8' ? 3 : 4))
    throw fail('RAW_SIZE_MISMATCH', {
      format: raw.format,
      width: raw.width,
      height: raw.height,
      expected: 0,
      found: 0,
    });
  return {
    ...resultOf(item.id, (image.bytes[0] ?? 0) / 255),
    source: item.source,
    prompt: item.prompt ?? null,
    width: raw?.width ?? null,
    height: raw?.height ?? null,
    sha256: image.bytes.length < 1e5 ? createHash('sha256').update(image.bytes).digest('hex') : null,
  };
}

function failed(item: ScoreItem, { code, message }: AssayError): ScoreResult {
  const { id, source, prompt = null } = item;
  const none = { sha256: null, width: null, height: null, scorer: null, aspects: null, reward: null };
  const error = { code, message };
  const empty = { promptSource: null, guards: [], decision: null, reasons: [], notes: [], timings: null };
  return { ...none, ...empty, id, source, prompt, error };
}

async function one(item: ScoreItem, signal: AbortSignal): Promise<ScoreResult> {
  try {
    return scored(item, await item.fetch(signal));
  } catch (error) {
    return failed(item, toAssayError(error));
  }
}

export function createFakeService(): FakeService {
  const listeners = new Set<(result: ScoreResult, client: string) => void>();
  const fake: FakeService = {
    requests: [],
    queries: [],
    released: [],
    hold: null,
    error: null,
    unready: null,
    tweak: (result) => result,
    async score(request) {
      fake.requests.push(request);
      await fake.hold;
      if (fake.error) throw fake.error;
      const results = (await Promise.all(request.items.map((i) => one(i, request.signal)))).map(fake.tweak);
      for (const result of results) fake.publish(result, request.client);
      return results;
    },
    async rank(request) {
      const results = await fake.score(request);
      const order = results
        .map((_, i) => i)
        .sort((a, b) => (results[b]!.reward ?? -1) - (results[a]!.reward ?? -1));
      return { results, order, best: results.some((r) => r.reward !== null) ? order[0]! : null };
    },
    reward: () => Promise.reject(new Error('the fake gives no rewards')),
    studies: {} as never,
    profiles: () => ({}),
    scorers: () => [SCORER],
    refusedScorers: () => [],
    release(scorer) {
      fake.released.push(scorer);
      return { released: 1, pending: 0 };
    },
    findPrompt: (place) => ({
      ...{ prompt: 'a cat', negative: null, original: null, certain: true, reason: null },
      from: 'image' in place ? `${place.image.length} bytes` : `node ${place.workflow.node}`,
    }),
    async history(query) {
      fake.queries.push(query);
      if (fake.error) throw fake.error;
      return { entries: [{ rowId: 1, at: 1, client: 'someone', result: resultOf('old', 0.5) }], next: null };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    monitor: () => ({ heldOut: null, runs: [] }),
    onWarning: () => () => {},
    notReady: () => fake.unready,
    load: () => ({ waiting: 3, running: 2 }),
    pressure: () => ({ held: 1, oldestMs: 1500, serviceMs: 40 }),
    recording: () => ({ recorded: 7, dropped: 1, state: 'degraded' }),
    publish(result, client) {
      for (const listener of listeners) listener(result, client);
    },
    get subscribers() {
      return listeners.size;
    },
  };
  return fake;
}
