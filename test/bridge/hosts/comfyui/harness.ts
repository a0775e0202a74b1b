/** Host clients for tests: quick to notice, closed with the test. */
import { onTestFinished } from 'vitest';
import { createComfyHost } from '../../../../src/bridge/hosts/comfyui/link/host.ts';
import type { Tuning } from '../../../../src/bridge/hosts/comfyui/link/tuning.ts';
import { type AssayError, toAssayError } from '../../../../src/errors/error.ts';
import type { Host, HostEvent, HostRun, Workflow } from '../../../../src/host.ts';
import { type FakeHost, startFake } from '../../../support/comfyui/fake.ts';

/** Times that suit a fake; a real host needs a little more of some. */
const QUICK: Partial<Tuning> = {
  retryMs: 20,
  openMs: 2000,
  livenessMs: 150,
  reconnectMs: 20,
  maxReconnectMs: 200,
  pollMs: 300,
  lostMs: 600,
  patienceMs: 10_000,
};

/** Ends whatever a test waits for. */
export const soon = (ms = 20_000): AbortSignal => AbortSignal.timeout(ms);

type Options = Partial<Omit<Parameters<typeof createComfyHost>[0], 'url'>>;

export function connect(url: string, { tuning, ...options }: Options = {}): Host {
  const host = createComfyHost({ url, ...options, tuning: { ...QUICK, ...tuning } });
  onTestFinished(() => host.close());
  return host;
}

export async function fakeWithHost(
  fakeOptions: Parameters<typeof startFake>[0] = {},
  options: Options = {},
): Promise<{ comfy: FakeHost; host: Host }> {
  const comfy = await startFake(fakeOptions);
  onTestFinished(() => comfy.stop());
  return { comfy, host: connect(comfy.url, options) };
}

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
