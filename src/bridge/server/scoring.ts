/** Steps 2 to 9 are the service's: hands it a request, and keeps what is finished when the request is given up. */
import type { RankResult, ScoreResult } from '../../types/result.ts';
import type { RewardItem, RewardResult } from '../../types/reward.ts';
import { isNameless } from './http/access.ts';
import type { ItemsJob, Job } from './routes/job.ts';
import type { RewardJob } from './routes/rewards.ts';
import type { Work } from './routes/route.ts';

/**
 * Scores a request. When it is given up (DEADLINE, DRAINING), what is finished is the answer, and the error stands
 * in the other items.
 *
 * @throws what the service throws, CANCELLED; DEADLINE and DRAINING when nothing is finished
 */
export async function scoreJob(work: Work, job: Job): Promise<{ results: ScoreResult[] }> {
  const { service } = work.context;
  const results = await finished(
    work,
    job,
    () => service.score(requestOf(work, job)),
    (all) => all,
  );
  note(work, results);
  return { results };
}

/** @throws as `scoreJob` */
export async function rankJob(work: Work, job: Job): Promise<RankResult> {
  const { service } = work.context;
  const ranked = await finished(
    work,
    job,
    () => service.rank(requestOf(work, job)),
    ({ results }) => results,
  );
  note(work, ranked.results);
  return ranked;
}

/** @throws as `scoreJob`, UNKNOWN_PROFILE */
export async function rewardJob(
  work: Work,
  { profile, advantage, run, ...job }: RewardJob,
): Promise<RewardResult> {
  const { service } = work.context;
  const { client } = work.call;
  const named = run ?? (isNameless(client) ? undefined : client);
  const asked = { ...requestOf(work, job), profile, advantage, run: named };
  const rewards = await finished(
    work,
    job,
    () => service.reward(asked),
    ({ results }) => results,
  );
  work.context.metrics.rewards(rewards.results);
  return rewards;
}

/** The outcome of what the service does, unless it was cancelled or, given up, has nothing to show. */
async function finished<T>(
  { context, call }: Work,
  { items }: ItemsJob,
  ask: () => Promise<T>,
  resultsOf: (outcome: T) => readonly Pick<ScoreResult | RewardItem, 'error'>[],
): Promise<T> {
  call.items = items.length;
  const outcome = await call.handOver(ask, context.tuning.handoverMs);
  const { aborted, reason } = call.signal;
  if (
    aborted &&
    (reason.code === 'CANCELLED' || resultsOf(outcome).every(({ error }) => error?.code === reason.code))
  )
    throw reason;
  return outcome;
}

const requestOf = <J extends ItemsJob>({ call, context }: Work, job: J) => ({
  ...job,
  client: call.client,
  patienceMs: context.config.limits.queueWaitMs,
  signal: call.signal,
});

/** For the metrics and the log line of the call. */
function note({ context, call }: Work, results: ScoreResult[]): void {
  context.metrics.results(results);
  for (const { timings } of results) {
    if (!timings) continue;
    const { whileSampling: _, ...stages } = timings;
    for (const [stage, ms] of Object.entries(stages))
      call.slowest[stage] = Math.max(call.slowest[stage] ?? 0, Math.round(ms * 10) / 10);
  }
}
