/** Sizes and times of the server that no user needs to set; tests do. */
import type { BudgetRules } from './budget.ts';
import type { OutboxRules } from './outbox.ts';

export interface Tuning extends Omit<BudgetRules, 'capacityBytes'>, OutboxRules {
  /** Bytes of one websocket in work, as many more that may wait, and of its answers unsent: ten raw images of 512². */
  windowBytes: number;
  /** Images of one websocket in work. */
  windowItems: number;
  /** Unsent bytes before a subscriber loses events: about a thousand results. */
  feedBytes: number;
  /** Pause between pings. */
  heartbeatMs: number;
  /** A websocket silent for so long is dropped. Long, because a blocking client hears no ping while it trains. */
  maxSilenceMs: number;
  /** Longest time for the headers of an HTTP request. */
  headersTimeoutMs: number;
  /** Longest time for an HTTP client to take its answer. */
  takeTimeoutMs: number;
  /** How long work that was given up may take to hand over what is finished. */
  handoverMs: number;
  /** How long a closing websocket or connection may take to say goodbye. */
  goodbyeMs: number;
  /** Open connections; for one more, the idlest is closed. */
  maxConnections: number;
  /** Requests that wait for their turn on one HTTP connection (pipelining) before it is closed. */
  maxPipelined: number;
}

export const TUNING: Tuning = {
  windowBytes: 8 * 2 ** 20,
  windowItems: 256,
  feedBytes: 2 ** 20,
  heartbeatMs: 20_000,
  maxSilenceMs: 600_000,
  headersTimeoutMs: 10_000,
  takeTimeoutMs: 60_000,
  answerBytes: 64 * 2 ** 20,
  handoverMs: 250,
  goodbyeMs: 1_000,
  maxConnections: 1024,
  maxPipelined: 64,
  smallBytes: 2 ** 16,
  paceBytes: 2 ** 16,
  paceMs: 10_000,
  pressedPaceMs: 1_000,
  checkMs: 250,
};
