/** Follows one run to its end. What the live channel says is passed on; what counts is the queue and the history. */
import { AssayError, fail } from '../../../../errors/error.ts';
import type { HostEvent, HostRun } from '../../../../host.ts';
import type { Tuning } from '../../tuning.ts';
import type { History } from './history.ts';
import type { Feed } from './live/feeds.ts';
import type { QueueState } from './queue.ts';

export interface Follower {
  url: string;
  history: History;
  /** May be a moment old: many runs are followed at a time. */
  queue(signal: AbortSignal): Promise<QueueState>;
  /** Whether the live channel is up. */
  isLive(): boolean;
  tuning: Tuning;
}

/** Pause after the host said that a run is over and its history does not have it yet; it doubles. */
const HISTORY_LAG_MS = 20;

/** @throws PROMPT_LOST; HOST_UNREACHABLE and HOST_FAILED when that lasts for `patienceMs` */
export async function* followRun(
  id: string,
  feed: Feed,
  follower: Follower,
  signal: AbortSignal,
): AsyncGenerator<HostEvent> {
  const search = createSearch(id, feed, follower);
  const { tuning } = follower;
  let lookAt = performance.now();
  for (let late = 0; ; ) {
    yield* feed.take();
    if (feed.takeHurry() || performance.now() >= lookAt) {
      const found = await search(signal);
      yield* feed.take();
      if (found) yield found;
      if (found?.kind === 'ended') return;
      const pauseMs = feed.isOver ? HISTORY_LAG_MS * 2 ** late++ : tuning.pollMs;
      lookAt = performance.now() + Math.min(pauseMs, longestPause(follower));
    }
    await feed.bell.wait(Math.max(0, lookAt - performance.now()), signal);
  }
}

const longestPause = ({ isLive, tuning: { pollMs } }: Follower): number => (isLive() ? pollMs : pollMs / 4);

/** The run when it has ended; why the host does not answer, the first time that it does not. */
type Search = (signal: AbortSignal) => Promise<Extract<HostEvent, { kind: 'ended' | 'away' }> | undefined>;

/** Looks for the run; remembers how long it has been missing, and the host away. */
function createSearch(id: string, feed: Feed, { url, history, queue, tuning }: Follower): Search {
  let missingSince: number | undefined;
  let awaySince: number | undefined;

  async function isQueued(signal: AbortSignal): Promise<boolean> {
    const { running, pending } = await queue(signal);
    return running.includes(id) || pending.includes(id);
  }

  async function search(signal: AbortSignal): Promise<HostRun | undefined> {
    // In this order: a run goes from the queue to the history, and never back.
    const waits = !feed.isOver && (await isQueued(signal));
    const run = waits ? undefined : await history.find(id, signal);
    const isSomewhere = waits || run !== undefined || (feed.isOver && (await isQueued(signal)));
    const now = performance.now();
    awaySince = undefined;
    missingSince = isSomewhere ? undefined : (missingSince ?? now);
    if (missingSince !== undefined && now - missingSince >= tuning.lostMs)
      throw fail('PROMPT_LOST', { id, url });
    return run;
  }

  return async (signal) => {
    try {
      const run = await search(signal);
      return run && { kind: 'ended', id, run };
    } catch (error) {
      const now = performance.now();
      const isFirst = awaySince === undefined;
      awaySince ??= now;
      if (!isPassing(error) || now - awaySince >= tuning.patienceMs) throw error;
      return isFirst ? { kind: 'away', id, error } : undefined;
    }
  };
}

const isPassing = (error: unknown): error is AssayError =>
  error instanceof AssayError && (error.code === 'HOST_UNREACHABLE' || error.code === 'HOST_FAILED');
