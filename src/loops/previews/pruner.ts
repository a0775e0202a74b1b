/**
 * Stops trials whose previews say that they are not worth going on with. One preview is scored at a time, the newest,
 * and only while the scorer has nothing else to do: what is missed goes on.
 */
import { toAssayError } from '../../errors/error.ts';
import type { HostEvent } from '../../host.ts';
import { candidatesOf } from '../study/pick.ts';
import type { Study } from '../study/study.ts';
import type { Pruned, Trial, TrialState } from '../study/types.ts';
import { type Calibration, type Point, pointAt, usablePoints } from './calibration.ts';
import type { Early, Look } from './early.ts';
import { type Shown, Steps } from './steps.ts';
import { isControl, isWorthIt, stopOf } from './worth.ts';

export interface Pruning {
  calibration: Calibration;
  /** Least rank correlation of the previews with the images, as the lower end of its interval. */
  demand: number;
  /** Share of the trials that go on whatever their previews say, 0..1. */
  control: number;
}

export interface PrunerParts {
  study: Study;
  pruning: Pruning;
  look: Look;
  /** Whether the scorer has nothing to do. */
  isIdle(): boolean;
  /** Told once of each reason why nothing is stopped, for people. */
  onNote(note: string): void;
  signal: AbortSignal;
}

interface Seen extends Shown {
  trial: Trial;
  point: Point;
  stop(): void;
}

export class Pruner implements Early {
  readonly #parts: PrunerParts;
  readonly #points: readonly Point[];
  readonly #steps = new Steps();
  /** Share of the work that is done, by trial. */
  readonly #shares = new Map<string, number>();
  /** Trials of which a preview came. */
  readonly #shown = new Set<string>();
  /** Trials that were taken out of the host's hands. */
  readonly #stopped = new Set<string>();
  readonly #said = new Set<string>();
  #newest: Seen | undefined;
  #work: Promise<void> | undefined;
  /** Whether the previews are others than those that were measured. */
  #isForeign = false;
  #isClosed = false;

  constructor(parts: PrunerParts) {
    this.#parts = parts;
    this.#points = usablePoints(parts.pruning.calibration, parts.pruning.demand);
  }

  see(trial: Trial, event: HostEvent, stop: () => void): void {
    if (event.kind === 'progress') this.#hearShare(trial, event);
    for (const shown of this.#steps.hear(event)) this.#take({ ...shown, trial, stop });
    if (event.kind === 'ended') this.#end(trial, event.run.status === 'success');
    // Of an earlier life of this process, which ended before its run did.
    else if (this.#stoppedBy(trial.id)) this.#stop(trial, stop);
    this.#begin();
  }

  /** The scorer is free again. */
  async finished(): Promise<void> {
    this.#begin();
  }

  prunedOf({ id }: Trial): Pruned | null {
    const preview = this.#stoppedBy(id);
    return preview ? { preview, share: Math.max(preview.share, this.#shares.get(id) ?? 0) } : null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
  }

  #stateOf = (id: string): TrialState | undefined =>
    this.#parts.study.trials.find(({ trial }) => trial.id === id);

  #stoppedBy(id: string) {
    const state = this.#stateOf(id);
    return state && !this.#isControl(state.trial) ? stopOf(state) : undefined;
  }

  #isControl = (trial: Trial): boolean =>
    isControl(this.#parts.study.spec.seed, trial, this.#parts.pruning.control);

  /** @returns undefined for a node that was not measured, or takes another number of steps */
  #shareAt(node: string, step: number, of: number): number | undefined {
    const { samplers } = this.#parts.pruning.calibration;
    const at = samplers.findIndex((sampler) => sampler.node === node && sampler.steps === of);
    if (at < 0) return undefined;
    const sum = (n: number) => samplers.slice(0, n).reduce((total, { steps }) => total + steps, 0);
    return (sum(at) + step) / sum(samplers.length);
  }

  #hearShare({ id }: Trial, { node, value, max }: Extract<HostEvent, { kind: 'progress' }>): void {
    const share = this.#shareAt(node, value, max);
    if (share !== undefined) this.#shares.set(id, share);
  }

  #take({ trial, ...shown }: Omit<Seen, 'point'>): void {
    this.#shown.add(trial.id);
    const { node, step, of } = shown;
    if (this.#shareAt(node, step, of) === undefined) return;
    const found = this.#points.find(
      (point) => point.node === node && pointAt(point.step, of) === pointAt(step, of),
    );
    const isLookedAt = this.#stateOf(trial.id)?.previews?.some(
      (before) => before.node === node && pointAt(before.step, of) === pointAt(step, of),
    );
    if (found && !isLookedAt) this.#newest = { ...shown, trial, point: found };
  }

  #end({ id }: Trial, isWhole: boolean): void {
    if (this.#newest?.trial.id === id) this.#newest = undefined;
    if (isWhole && !this.#shown.has(id))
      this.#say('no previews come from the host, so that nothing is stopped early; are they switched off?');
  }

  #stop({ id }: Trial, stop: () => void): void {
    if (!this.#stopped.has(id)) stop();
    this.#stopped.add(id);
  }

  #say(note: string): void {
    if (!this.#said.has(note)) this.#parts.onNote(note);
    this.#said.add(note);
  }

  #begin(): void {
    const { isIdle, signal } = this.#parts;
    const seen = this.#newest;
    if (!seen || this.#work || this.#isClosed || this.#isForeign || signal.aborted || !isIdle()) return;
    this.#newest = undefined;
    this.#work = this.#judge(seen)
      .catch((error) => {
        if (!signal.aborted) this.#say(`a preview could not be scored: ${toAssayError(error).message}`);
      })
      .finally(() => {
        this.#work = undefined;
        this.#begin();
      });
  }

  async #judge({ trial, point, node, step, of, bytes, stop }: Seen): Promise<void> {
    const { study, pruning, look, signal } = this.#parts;
    const { values, size, weights } = await look(trial, bytes, signal);
    const { subject } = pruning.calibration;
    if (weights !== subject.scorer.weights) return this.#refuse('of another scorer');
    if (size.join() !== subject.size.join())
      return this.#refuse(
        `of previews of ${subject.size.join(' × ')} pixels, and these have ${size.join(' × ')}`,
      );
    const value = values[subject.by];
    // Told meanwhile, or its run is over: it says nothing any more.
    const state = this.#stateOf(trial.id);
    if (this.#isClosed || !state || state.outcome || typeof value !== 'number') return;
    const share = this.#shareAt(node, step, of)!;
    const done = Math.max(share, this.#shares.get(trial.id) ?? 0);
    const whole = study.trials.filter((one) => one.trial.stage.effort === 1);
    const finished = candidatesOf(whole, study.spec.pick).map((one) => one.value);
    const isWorth = isWorthIt({ spec: study.spec, finished }, point, value, done);
    study.preview(trial.id, { node, step, of, share, values, ...(!isWorth && { stops: true }) });
    if (!isWorth && !this.#isControl(trial)) this.#stop(trial, stop);
  }

  #refuse(of: string): void {
    this.#isForeign = true;
    this.#say(`nothing is stopped early: the calibration is ${of}`);
  }
}
