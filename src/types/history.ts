/** What the history is asked, and answers. */
import type { Decision } from './policy.ts';
import type { ScoreResult } from './result.ts';

/** Filters and page of the history; all given filters must hold. */
export interface HistoryQuery {
  scorer?: string | undefined;
  decision?: Decision | undefined;
  /** Text contained in the prompt, case-insensitive. */
  prompt?: string | undefined;
  sha256?: string | undefined;
  minReward?: number | undefined;
  maxReward?: number | undefined;
  /** Unix milliseconds, inclusive. */
  since?: number | undefined;
  /** Unix milliseconds, exclusive. */
  until?: number | undefined;
  failed?: boolean | undefined;
  /** Rows a page, 1..500. */
  limit: number;
  /** `next` of the page before. */
  cursor?: string | undefined;
}

/** A recorded verdict. */
export interface HistoryEntry {
  rowId: number;
  /** Unix milliseconds of the reply. */
  at: number;
  client: string;
  result: ScoreResult;
}

/** Newest first. */
export interface HistoryPage {
  entries: HistoryEntry[];
  /** Cursor of the next page, or null at the end. */
  next: string | null;
}
