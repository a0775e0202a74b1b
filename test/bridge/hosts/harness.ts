/** What tests of any kind of host share: quick times, runs to their end, errors, waiting with a deadline. */

import type { Tuning } from '../../../src/bridge/hosts/tuning.ts';
import { type AssayError, toAssayError } from '../../../src/errors/error.ts';
import type { Host, HostEvent, HostRun, Workflow } from '../../../src/host.ts';

/** Times that suit a fake; a real host needs a little more of some. */
export const QUICK: Partial<Tuning> = {
  retryMs: 20,
  openMs: 2000,
  livenessMs: 150,
  reconnectMs: 20,
  maxReconnectMs: 200,
  pollMs: 300,
  progressMs: 20,
  lostMs: 600,
  patienceMs: 10_000,
};

/** Ends whatever a test waits for. */
export const soon = (ms = 20_000): AbortSignal => AbortSignal.timeout(ms);

/** All events of a run. */
export async function follow(
  host: Host,
  id: string,
  onEvent?: (e: HostEvent) => unknown,
): Promise<HostEvent[]> {
  const events: HostEvent[] = [];
  for await (const event of host.follow(id, soon())) {
    events.push(event);
    await onEvent?.(event);
  }
  return events;
}

/** Submits a workflow and waits for its end. */
export async function runOf(host: Host, workflow: Workflow): Promise<HostRun> {
  const { id } = await host.submit(workflow, soon());
  return endOf(await follow(host, id));
}

/** The run that a finished list of events ends with. */
export function endOf(events: HostEvent[]): HostRun {
  const last = events.at(-1);
  if (last?.kind !== 'ended') throw new Error(`the last event is ${last?.kind}`);
  return last.run;
}

/** The error that a promise is refused with. */
export async function errorOf(promise: Promise<unknown>): Promise<AssayError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('value' in outcome) throw new Error(`no error, but ${JSON.stringify(outcome.value)}`);
  return toAssayError(outcome.error);
}

export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  ms = 10_000,
): Promise<void> {
  const end = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
