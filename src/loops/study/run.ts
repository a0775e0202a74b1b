/** One trial on a host: submitted, followed, fetched and judged, whatever becomes of the host meanwhile. */
import { AssayError, fail, toAssayError } from '../../errors/error.ts';
import type { Host, HostEvent, HostFile, HostRun, RunImage, Workflow } from '../../host.ts';
import { pause } from '../../lib/pause.ts';
import type { Early } from '../previews/early.ts';
import type { Scored, Trial } from './types.ts';

export interface RunParts {
  host: Host;
  workflowOf(trial: Trial): Workflow;
  /** The run that a trial was submitted as before. */
  runOf(trial: string): string | undefined;
  /** Told of the run of a trial as soon as there is one. */
  onSubmitted(trial: Trial, run: string): void;
  /** Keeps an image and has it judged; the driver's name for it comes back in `image`. */
  judge(
    trial: Trial,
    index: number,
    image: RunImage,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<Scored>;
  /** Looks at what the host shows while it samples, and may stop a trial early. */
  early?: Early | undefined;
  /** Told of what happens in the run of a trial, for those who watch. */
  onEvent?(trial: Trial, event: HostEvent): void;
  /** Something went wrong and is survived. */
  onTrouble(error: AssayError): void;
}

export interface RunPace {
  /** Pause before the host is asked again. */
  retryMs: number;
  /** How long a host may be away. */
  patienceMs: number;
}

/** Trials by the images that they have made, so that none is taken twice. */
export class Known {
  readonly #makers = new Map<string, string>();

  makerOf(file: HostFile): string | undefined {
    return this.#makers.get(keyOf(file));
  }

  add(file: HostFile, trial: Trial): void {
    this.#makers.set(keyOf(file), trial.id);
  }
}

const keyOf = ({ type, subfolder, filename }: HostFile): string => [type, subfolder, filename].join('\0');

/** Times that a run may get lost before the trial fails. */
const MOST_LOST = 3;
/** For taking out of the host's queue what nobody wants any more. */
const CANCEL_MS = 5000;

export interface RunContext extends RunParts, RunPace {
  known: Known;
  /** Told when the host is done with a trial, whose images are still to be judged. */
  onMade?(trial: Trial): void;
  /** Submits to the host in place of its own, so that it makes trials in the order in which they were asked for. */
  submit?: Host['submit'];
}

/** What of a trial's way is remembered between two tries. */
interface Memory {
  run: string | undefined;
  /** Whether the run is of an earlier life of this process. */
  isOld: boolean;
  lost: number;
  awaySince: number | undefined;
}

/**
 * Makes the images of a trial. A host that is away is waited for, and a run that it has lost is submitted again.
 *
 * @returns no image of a trial that was stopped early
 * @throws RUN_FAILED, RUN_EMPTY, NOTHING_NEW, PROMPT_LOST, WORKFLOW_REJECTED, errors of the host that last, what `judge`
 *   throws, and the abort's reason, when the run is taken out of the host's queue
 */
export async function runTrial(context: RunContext, trial: Trial, signal: AbortSignal): Promise<Scored[]> {
  const run = context.runOf(trial.id);
  const memory: Memory = { run, isOld: run !== undefined, lost: 0, awaySince: undefined };
  for (;;) {
    try {
      return await tryOnce(context, trial, memory, signal);
    } catch (thrown) {
      if (signal.aborted) await cancel(context, memory.run);
      signal.throwIfAborted();
      if (!(thrown instanceof AssayError) || !mayTryAgain(thrown, memory, context)) throw thrown;
      context.onTrouble(thrown);
      await pause(context.retryMs, signal);
    }
  }
}

async function tryOnce(
  context: RunContext,
  trial: Trial,
  memory: Memory,
  signal: AbortSignal,
): Promise<Scored[]> {
  if (memory.run === undefined) {
    const { host, submit = (...given) => host.submit(...given) } = context;
    memory.run = (await submit(context.workflowOf(trial), signal)).id;
    context.onSubmitted(trial, memory.run);
  }
  const run = await follow(context, trial, memory.run, signal);
  memory.awaySince = undefined;
  if (run.status === 'interrupted' && context.early?.prunedOf(trial)) {
    context.onMade?.(trial);
    return [];
  }
  // Taken out of the queue when the study was stopped: it goes on now.
  if (memory.isOld && run.status === 'interrupted')
    throw fail('PROMPT_LOST', { id: run.id, url: context.host.url });
  checkRun(run);
  context.onMade?.(trial);
  return judgeAll(context, trial, imagesOf(run, trial, context.known), signal);
}

function mayTryAgain({ code }: AssayError, memory: Memory, { patienceMs }: RunPace): boolean {
  if (code === 'HOST_UNREACHABLE' || code === 'HOST_FAILED') {
    memory.awaySince ??= performance.now();
    return performance.now() - memory.awaySince < patienceMs;
  }
  if (code !== 'PROMPT_LOST' && code !== 'IMAGE_GONE') return false;
  memory.run = undefined;
  memory.isOld = false;
  memory.lost++;
  return memory.lost <= MOST_LOST;
}

async function follow(context: RunContext, trial: Trial, id: string, signal: AbortSignal): Promise<HostRun> {
  const { host, early, onEvent, onTrouble } = context;
  for await (const event of host.follow(id, signal)) {
    onEvent?.(trial, event);
    early?.see(trial, event, () => void cancel(context, id));
    if (event.kind === 'away') onTrouble(toAssayError(event.error));
    if (event.kind === 'ended') return event.run;
  }
  throw fail('PROMPT_LOST', { id, url: host.url });
}

/** What the host says of a run that did not succeed. */
function checkRun({ status, error }: HostRun): void {
  if (status === 'error') throw fail('RUN_FAILED', { reason: error ?? 'it does not say why' });
  if (status === 'interrupted') throw fail('RUN_FAILED', { reason: 'it was interrupted' });
}

/** The images of a run that a trial has made: what is saved rather than what is shown, fresh rather than cached. */
function imagesOf(run: HostRun, trial: Trial, known: Known): RunImage[] {
  const pictures = run.images.filter(({ maker, type }) => maker.map === null && type !== 'input');
  const saved = pictures.filter(({ type }) => type === 'output');
  const images = saved.length > 0 ? saved : pictures;
  const fresh = images.filter(({ replayed }) => !replayed);
  for (const image of fresh.length > 0 ? fresh : images) {
    const earlier = known.makerOf(image);
    if (earlier !== undefined && earlier !== trial.id)
      throw fail('NOTHING_NEW', { id: trial.id, image: image.filename, earlier });
    known.add(image, trial);
  }
  if (images.length === 0)
    throw fail('RUN_EMPTY', { reason: run.left[0]?.reason ?? 'no node has saved one' });
  return fresh.length > 0 ? fresh : images;
}

async function judgeAll(
  { host, judge, early }: RunContext,
  trial: Trial,
  images: RunImage[],
  signal: AbortSignal,
): Promise<Scored[]> {
  const scored: Scored[] = [];
  for (const [index, image] of images.entries()) {
    const bytes = await host.fetchFile(image, signal);
    scored.push(await judge(trial, index, image, bytes, signal));
  }
  await early?.finished(trial, scored, signal);
  return scored;
}

/** Whatever comes of it: nobody waits for that run. */
async function cancel({ host }: RunContext, run: string | undefined): Promise<void> {
  if (run !== undefined) await host.cancel(run, AbortSignal.timeout(CANCEL_MS)).catch(() => undefined);
}
