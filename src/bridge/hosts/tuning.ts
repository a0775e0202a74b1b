/** Times of a link to a host, in milliseconds. Tests shorten them. */
export interface Tuning {
  /** Longest wait for an answer, and for the whole of its body. */
  requestMs: number;
  /** First pause before a request that may be repeated is repeated; it doubles. */
  retryMs: number;
  /** Longest wait for a socket to open, and for its first message. */
  openMs: number;
  /** Between two signs of life that the client asks of its socket. */
  pingMs: number;
  /** Between two checks that the socket hears what it should. */
  livenessMs: number;
  /** First pause before a new socket; it doubles, up to the longest. */
  reconnectMs: number;
  maxReconnectMs: number;
  /** Between two looks at the queue and the history while a run is followed. */
  pollMs: number;
  /** Between two looks at the progress of a run, where that is asked for: a look may cost the host a preview. */
  progressMs: number;
  /** How long a host that answers only at the end of a run has for refusing it, unless it is known to have taken it. */
  refusalMs: number;
  /** How long a run may be neither in the queue nor in the history before it counts as lost. */
  lostMs: number;
  /** How long a host may be away while a run is followed. */
  patienceMs: number;
}

export const TUNING: Tuning = {
  requestMs: 30_000,
  retryMs: 200,
  openMs: 5000,
  pingMs: 10_000,
  livenessMs: 5000,
  reconnectMs: 250,
  maxReconnectMs: 10_000,
  pollMs: 2000,
  progressMs: 350,
  refusalMs: 2000,
  lostMs: 2000,
  patienceMs: 60_000,
};
