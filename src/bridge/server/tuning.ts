/** Sizes and times of the server that no user needs to set; tests do. */
export interface Tuning {
  /** Unanswered bytes of one websocket before it is no longer read: ten raw images of 512². */
  windowBytes: number;
  /** Unanswered images of one websocket before it is no longer read. */
  windowItems: number;
  /** Unsent bytes before a subscriber loses events: about a thousand results. */
  feedBytes: number;
  /** Pause between pings. */
  heartbeatMs: number;
  /** A websocket silent for so long is dropped. Long, because a blocking client hears no ping while it trains. */
  maxSilenceMs: number;
  /** Longest time for the headers of an HTTP request. */
  headersTimeoutMs: number;
  /** How long a closing websocket or connection may take to say goodbye. */
  goodbyeMs: number;
}

export const TUNING: Tuning = {
  windowBytes: 8 * 2 ** 20,
  windowItems: 256,
  feedBytes: 2 ** 20,
  heartbeatMs: 20_000,
  maxSilenceMs: 600_000,
  headersTimeoutMs: 10_000,
  goodbyeMs: 1_000,
};
