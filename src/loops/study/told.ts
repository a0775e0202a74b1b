/** What a client tells of a trial, made into an outcome: images that come without scores are scored here. */
import { hash } from 'node:crypto';
import { fail } from '../../errors/error.ts';
import { ERRORS, type ErrorCode } from '../../errors/table.ts';
import type { PanelRequest, ScoreItem, ScoreRequest } from '../../types/request.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { Telling } from '../../types/study.ts';
import type { ClientPlan } from './client-folder.ts';
import { measured, missingIn, scorersOf } from './measures.ts';
import type { Outcome, Scored, Trial } from './types.ts';

export type Asker = Pick<ScoreRequest, 'client' | 'patienceMs' | 'signal'>;
export type Digest = (bytes: Uint8Array, signal: AbortSignal) => Promise<string>;

export interface Heard {
  ended: Omit<Outcome, 'elapsedMs'>;
  /** Of images that came to be scored, by the default scorer. */
  results: ScoreResult[];
  /** What the telling is known by when it comes again. */
  marks: string[];
}

export interface HearParts {
  plan: ClientPlan;
  /** Of each item one result a scorer. */
  panel(request: PanelRequest): Promise<ScoreResult[][]>;
}

/** @throws TRIAL_UNSCORED for what another try may score, the signal's reason, and what `panel` throws */
export async function hear(
  { plan, panel }: HearParts,
  trial: Trial,
  telling: Telling,
  asker: Asker,
): Promise<Heard> {
  if (!('items' in telling)) {
    const ended = 'images' in telling ? { images: telling.images } : { failed: telling.failed };
    if ('images' in telling) checkMeasures(plan, telling.images);
    return { ended, results: [], marks: marksOf(telling, ended) };
  }
  // Without a prompt of the trial it is looked for in the file, as in every request.
  const items = telling.items.map((item) => ({
    ...item,
    prompt: item.prompt ?? trial.prompt ?? item.prompt,
  }));
  const scorers = scorersOf(plan.spec.pick);
  const asked = scorers.map((scorer) => scorer ?? plan.judge ?? plan.scorer);
  const rows = await panel({ ...asker, items, scorers: asked, policy: plan.policy });
  asker.signal.throwIfAborted();
  for (const row of rows) checkLasting(trial, row);
  const images = rows.map((row, i) => scoredOf(row, scorers, nameOf(items[i]!, trial, i), plan));
  for (const [i, row] of rows.entries()) checkPickable(plan, row[0]!, images[i]!);
  const lost = rows.flatMap((row) => errorOf(row) ?? []);
  const ended = lost.length === rows.length ? { failed: lost[0]! } : { images };
  const results = rows.map(([result]) => result!);
  const sums = results.map(({ sha256 }) => sha256);
  return { ended, results, marks: marksOf(telling, sums) };
}

/** The same without scoring, of a telling that may have come before. */
export async function marksAgain(telling: Telling, digest: Digest, signal: AbortSignal): Promise<string[]> {
  if (!('items' in telling))
    return marksOf(telling, 'images' in telling ? { images: telling.images } : { failed: telling.failed });
  const sums: string[] = [];
  for (const item of telling.items) sums.push(await digest((await item.fetch(signal)).bytes, signal));
  return marksOf(telling, sums);
}

const marksOf = ({ key }: Telling, content: unknown): string[] => [
  ...(key === undefined ? [] : [`key ${key}`]),
  `content ${hash('sha256', JSON.stringify(content))}`,
];

const errorOf = (row: readonly ScoreResult[]) => row.find(({ error }) => error)?.error;

/** @throws TRIAL_UNSCORED where the fault is not the image's */
function checkLasting({ id }: Trial, row: readonly ScoreResult[]): void {
  const error = errorOf(row);
  if (!error || ERRORS[error.code as ErrorCode]?.kind === 'input') return;
  throw fail('TRIAL_UNSCORED', { id, image: row[0]!.id, reason: `${error.message} [${error.code}]` });
}

/** Scores by other names than the study picks by would spend its budget for nothing. @throws BAD_REQUEST */
function checkMeasures({ spec: { pick } }: ClientPlan, images: readonly Scored[]): void {
  for (const [i, { values }] of images.entries()) {
    const names = Object.keys(values);
    const missing = pick.find((measure) => !(measure in values));
    if (names.length === 0 || missing === undefined) continue;
    const reason = `images[${i}].values: it has ${names.join(', ')}, and the study picks by ${missing}`;
    throw fail('BAD_REQUEST', { reason });
  }
}

/** So would a measure that the scorer does not give; a guard takes all of them, and says so by itself. @throws MEASURE_MISSING */
function checkPickable(
  { spec: { pick } }: ClientPlan,
  { guards, prompt, error }: ScoreResult,
  { values }: Scored,
): void {
  const measure = missingIn(pick, values);
  if (measure === undefined || error || guards.length > 0) return;
  const reason = prompt === null ? 'no prompt was found' : 'the scorer does not give it';
  throw fail('MEASURE_MISSING', { measure, reason });
}

const nameOf = ({ source }: ScoreItem, { id }: Trial, i: number): string =>
  source ?? (i > 0 ? `${id}-${i + 1}` : id);

function scoredOf(
  row: readonly ScoreResult[],
  scorers: readonly (string | undefined)[],
  image: string,
  { policy }: ClientPlan,
): Scored {
  const error = errorOf(row);
  if (error) return { image, values: {}, reasons: [`${error.message} [${error.code}]`] };
  return {
    image,
    ...measured(row, scorers),
    rejected: policy !== undefined && row[0]!.decision === 'reject',
    reasons: row[0]!.reasons,
  };
}
