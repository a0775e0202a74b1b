/** One run of ours, from its submission to its end. */
import { randomUUID } from 'node:crypto';
import type { AssayError } from '../../../../errors/error.ts';
import type { HostRun } from '../../../../host.ts';
import { createTold, type Told } from '../../link/told.ts';
import type { Request } from '../workflow/request.ts';

export type Outcome = { run: HostRun } | { error: AssayError };

export interface Job extends Told {
  readonly id: string;
  readonly request: Request;
  /** `sent`: in the host's hands, where it may wait for others. */
  state: 'waiting' | 'sent' | 'over';
  /** Nobody wants it any more. */
  isCancelled: boolean;
  /** Whether it was seen to be ended early, by whomever. */
  isCut: boolean;
  /** What the host called it while it ran; null until that is known beyond doubt. */
  mark: string | null;
  outcome: Outcome | undefined;
  /** Looks at once what becomes of it, and interrupts it where it may be; there while the host has it. Never throws. */
  look: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Resolves when the host is known to have taken it. */
  readonly taken: Promise<void>;
  isTaken(): void;
  /** Resolves when it is over. */
  readonly over: Promise<void>;
  end(outcome: Outcome): void;
}

export function createJob(request: Request): Job {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const { promise: taken, resolve: isTaken } = Promise.withResolvers<void>();
  const told = createTold();
  const job: Job = {
    ...told,
    ...{ id: randomUUID(), request, state: 'waiting', isCancelled: false, isCut: false, mark: null },
    ...{ outcome: undefined, look: undefined, over, taken, isTaken },
    end(outcome) {
      if (job.state === 'over') return;
      job.state = 'over';
      job.outcome = outcome;
      if ('run' in outcome) told.push({ kind: 'ended', id: job.id, run: outcome.run });
      told.bell.ring();
      resolve();
    },
  };
  return job;
}
