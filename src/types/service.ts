import type { HistoryPage, HistoryQuery } from './history.ts';
import type { Profile } from './profile.ts';
import type { PromptFound, PromptPlace } from './prompt.ts';
import type { ScoreRequest } from './request.ts';
import type { RankResult, ScoreResult } from './result.ts';
import type { RewardRequest, RewardResult } from './reward.ts';
import type { MonitorReport, RunWarning } from './run.ts';
import type { RefusedScorer, Released, ScorerInfo } from './scorer.ts';
import type { Studies } from './study.ts';

/** Told of every finished result, and who asked for it. */
export type ResultListener = (result: ScoreResult, client: string) => void;

/** What the bridges may ask of the rest of Assay; runtime.ts puts it together. */
export interface Service {
  /**
   * Results in request order. Throws only for what is wrong with the request as a whole. When its signal aborts, settles
   * at once: with what is finished, and the reason in the other items.
   */
  score(request: ScoreRequest): Promise<ScoreResult[]>;
  rank(request: ScoreRequest): Promise<RankResult>;
  /** Rewards of several scorers at once. @throws UNKNOWN_PROFILE, and as `score` */
  reward(request: RewardRequest): Promise<RewardResult>;
  readonly studies: Studies;
  /** The reward profiles by name. */
  profiles(): Record<string, Profile>;
  scorers(): ScorerInfo[];
  /** Gives back the memory of a scorer until the next image comes. @throws UNKNOWN_SCORER */
  release(scorer: string): Released;
  /** Those that are installed and cannot be used. */
  refusedScorers(): RefusedScorer[];
  /** The prompt in a workflow or an image file; nothing is scored. Never throws. */
  findPrompt(place: PromptPlace): PromptFound;
  /** Throws STORE_UNAVAILABLE. A page may hold less than its limit and have a next one all the same. */
  history(query: HistoryQuery, signal?: AbortSignal): Promise<HistoryPage>;
  /** Calls `listener` with every finished result until the returned function is called. */
  subscribe(listener: ResultListener): () => void;
  /** Training runs as the rewards show them. */
  monitor(): MonitorReport;
  /** Calls `listener` with every warning until the returned function is called. */
  onWarning(listener: (warning: RunWarning) => void): () => void;
  /** Null when the default scorer is loaded and warm, else what is missing. */
  notReady(): string | null;
  /** Images waiting and images in work, for metrics. */
  load(): { waiting: number; running: number };
  /** How full the queue is: requests that wait for room in it, milliseconds of the oldest wait, and of an image inside. */
  pressure(): { held: number; oldestMs: number; serviceMs: number };
  /** Verdicts written to the history and lost since the start, and whether it works now. */
  recording(): { recorded: number; dropped: number; state: 'ok' | 'degraded' | 'off' };
}
