/** How what was lost or failed to load is tried again: at once the first time, then after pauses that double. */
export interface Pace {
  /** Pause after the second failure in a row. */
  firstPauseMs: number;
  longestPauseMs: number;
  /** How long images wait while nothing can work on them. */
  patienceMs: number;
}

export const PACE: Pace = { firstPauseMs: 250, longestPauseMs: 10_000, patienceMs: 15_000 };

/** Milliseconds to wait after so many failures in a row. */
export function pauseAfter(failures: number, { firstPauseMs, longestPauseMs }: Pace): number {
  return failures < 2 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 2, 30));
}
