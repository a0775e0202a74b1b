/** What HTTP and websocket requests share: the service behind, the limits, and one log line and count per request. */
import type { Config } from '../../config.ts';
import { type AssayError, fail } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Policy, RankResult, ScoreItem, ScoreResult, Service } from '../../types.ts';
import type { AccessRules } from './access.ts';
import type { Budget } from './budget.ts';
import type { Call } from './call.ts';
import type { Metrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import type { ErrorAnswer } from './schemas.ts';
import type { Traffic } from './traffic.ts';
import type { Tuning } from './tuning.ts';

export interface Desk {
  config: Config;
  log: Log;
  service: Service;
  version: string;
  metrics: Metrics;
  traffic: Traffic;
  budget: Budget;
  outbox: Outbox;
  access: AccessRules;
  tuning: Tuning;
}

/** A parsed request for scores. */
export interface Job {
  items: ScoreItem[];
  scorer: string | undefined;
  policy: Policy | undefined;
}

/**
 * Scores a request. When it is given up (DEADLINE, DRAINING), what is finished is the answer, and the error stands
 * in the other items.
 *
 * @throws what the service throws, CANCELLED; DEADLINE and DRAINING when nothing is finished
 */
export async function score(desk: Desk, call: Call, job: Job): Promise<{ results: ScoreResult[] }> {
  call.items = job.items.length;
  const results = await finished(
    desk,
    call,
    () => desk.service.score(request(call, job)),
    (all) => all,
  );
  return { results: note(desk, call, results.map(sealed)) };
}

/** @throws as `score` */
export async function rank(desk: Desk, call: Call, job: Job): Promise<RankResult> {
  call.items = job.items.length;
  const work = () => desk.service.rank(request(call, job));
  const ranked = await finished(desk, call, work, ({ results }) => results);
  if (!ranked.results.every(hasFiniteNumbers))
    throw fail('INTERNAL', { reason: 'a ranked score is not a number' });
  note(desk, call, ranked.results);
  return ranked;
}

/** The outcome of the work, unless it was cancelled or, given up, has nothing to show. */
async function finished<T>(
  desk: Desk,
  call: Call,
  work: () => Promise<T>,
  resultsOf: (outcome: T) => ScoreResult[],
): Promise<T> {
  const outcome = await call.handOver(work, desk.tuning.handoverMs);
  const { aborted, reason } = call.signal;
  if (
    aborted &&
    (reason.code === 'CANCELLED' || resultsOf(outcome).every(({ error }) => error?.code === reason.code))
  )
    throw reason;
  return outcome;
}

const request = (call: Call, { items, scorer, policy }: Job) => ({
  items,
  scorer,
  policy,
  client: call.client,
  signal: call.signal,
});

function note(desk: Desk, call: Call, results: ScoreResult[]): ScoreResult[] {
  desk.metrics.results(results);
  for (const { timings } of results) {
    if (!timings) continue;
    for (const [stage, ms] of Object.entries(timings))
      call.slowest[stage] = Math.max(call.slowest[stage] ?? 0, Math.round(ms * 10) / 10);
  }
  return results;
}

/** JSON has no NaN: it would turn into null, which means "not applicable". */
function hasFiniteNumbers(result: ScoreResult): boolean {
  const aspects = Object.values(result.aspects ?? {}).flatMap((a) =>
    a ? [a.score, a.percentile, a.coverage, ...a.range, ...a.interval] : [],
  );
  return [...aspects, result.reward ?? 0].every(Number.isFinite);
}

/** A result whose numbers are not all finite becomes a failed item: a failure is never a score. */
export function sealed(result: ScoreResult): ScoreResult {
  if (hasFiniteNumbers(result)) return result;
  const { code, message } = fail('INTERNAL', { reason: 'a score is not a number' });
  return { ...result, aspects: null, reward: null, decision: null, reasons: [], error: { code, message } };
}

/** Milliseconds to wait where the error names none: a broken setup takes a person to repair. */
const SETUP_RETRY_MS = 30_000;

/** When to try again, for the answers that must say so. */
export const retryAfterMs = (error: AssayError): number | undefined =>
  error.retryAfterMs ?? (error.status === 503 || error.status === 429 ? SETUP_RETRY_MS : undefined);

/** The wire form of an error. */
export function errorBody(error: AssayError): ErrorAnswer {
  const { code, message, fix } = error;
  const wait = retryAfterMs(error);
  return { error: { code, message, fix, ...(wait === undefined ? {} : { retryAfterMs: wait }) } };
}

/** Routes asked every few seconds by machines, and ops that carry no images: not worth a line each. */
const QUIET = new Set(['/healthz', '/readyz', '/metrics', 'ws ping', 'ws cancel', 'ws subscribe']);

/** Counts and logs a finished request: one line. */
export function report(desk: Desk, call: Call, status: string | number, error?: AssayError): void {
  const ms = Math.round(call.elapsedMs * 10) / 10;
  desk.metrics.request(call.route, String(status), ms);
  const { route, client, items, slowest } = call;
  const line = {
    route,
    status,
    ...(error ? { code: error.code, reason: error.message } : {}),
    items,
    ms,
    client,
    slowest,
  };
  if (error?.kind === 'internal') desk.log.error({ ...line, err: error }, 'request failed');
  else if (QUIET.has(route) && !error) desk.log.debug(line, 'request');
  else desk.log.info(line, 'request');
}
