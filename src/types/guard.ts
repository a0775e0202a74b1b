/** Findings that make a score meaningless. */

export type GuardName = 'blank' | 'noise' | 'corrupt' | 'out-of-domain';

/** A check of the pixels, or by the scorer itself, that makes its score meaningless, with the figure that tripped it. */
export interface GuardFinding {
  guard: GuardName;
  message: string;
}
