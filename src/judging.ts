/** Images of a search on their way to the scorers that it picks by: kept, scored, and noted in its folder. */
import { extname } from 'node:path';
import { fail } from './errors/error.ts';
import type { RunImage } from './host.ts';
import type { PolicyFile } from './loops/policy/policy-file.ts';
import type { Looked } from './loops/previews/early.ts';
import type { StudyFolder } from './loops/study/folder.ts';
import { measured, scorersOf } from './loops/study/measures.ts';
import type { Scored, Trial } from './loops/study/types.ts';
import type { Runtime } from './runtime.ts';
import type { PanelRequest, ScoreItem } from './types/request.ts';
import type { ScoreResult } from './types/result.ts';

export interface Made {
  trial: Trial;
  index: number;
  image: RunImage;
  bytes: Uint8Array;
}

export interface JudgeParts {
  runtime: Pick<Runtime, 'panel'>;
  folder: Pick<StudyFolder, 'saveImage'> & { add(line: { scored: string; result: ScoreResult }): void };
  /** What it rejects cannot win; without one, everything can. */
  policy?: PolicyFile | undefined;
  /** What the image is judged by; null: what it was made from. */
  prompt: string | null;
  /** Measures that are asked for. */
  pick: readonly string[];
}

/** Keeps the image, then has it scored by every scorer that the picks name. @throws RUN_UNSCORED */
export async function judge(
  { runtime, folder, policy, prompt, pick }: JudgeParts,
  { trial, index, image, bytes }: Made,
  signal: AbortSignal,
): Promise<Scored> {
  const name = `${trial.id}${index > 0 ? `-${index + 1}` : ''}${extname(image.filename).toLowerCase()}`;
  await folder.saveImage(name, bytes);
  const item: ScoreItem = {
    ...{ id: trial.id, source: name, prompt: prompt ?? trial.prompt ?? undefined },
    ...{ found: image.prompt ?? undefined, promptFromFile: true },
    fetch: () => ({ kind: 'encoded', bytes }),
  };
  const scorers = scorersOf(pick);
  const asked = { scorers, policy: policy?.policy, client: 'study', signal };
  const results = await scored(runtime, { ...asked, items: [item] }, name);
  folder.add({ scored: name, result: results[0]! });
  return {
    image: name,
    ...measured(results, scorers),
    rejected: policy !== undefined && results[0]!.decision === 'reject',
    reasons: results[0]!.reasons,
  };
}

/** Scores what a host shows of an unfinished image. Nothing of it is kept. @throws RUN_UNSCORED */
export async function lookAt(
  runtime: JudgeParts['runtime'],
  prompt: string | null,
  { id }: Trial,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<Looked> {
  const name = `${id} (preview)`;
  const item: ScoreItem = { id, source: name, prompt, fetch: () => ({ kind: 'encoded', bytes }) };
  const scorers = scorersOf([]);
  const asked = { items: [item], scorers, client: 'study', records: 'itself' as const, signal };
  const [result] = await scored(runtime, asked, name);
  const { width, height, scorer } = result!;
  return { values: measured([result!], scorers).values, size: [width!, height!], weights: scorer!.weights };
}

/** Of one item. @throws RUN_UNSCORED */
async function scored(
  runtime: JudgeParts['runtime'],
  request: PanelRequest,
  image: string,
): Promise<ScoreResult[]> {
  const [results] = await runtime.panel(request);
  const failed = results!.find(({ error }) => error);
  if (!failed) return results!;
  request.signal.throwIfAborted();
  const { code, message } = failed.error!;
  throw fail('RUN_UNSCORED', { image, reason: `${message} [${code}]` });
}
