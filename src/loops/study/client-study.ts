/** A study that a client drives, open: what happens in it is in its folder before it counts. */
import { fail } from '../../errors/error.ts';
import type { StudyState } from '../../types/study.ts';
import type { ClientFolder } from './client-folder.ts';
import { createStudy, type Study } from './study.ts';
import type { Outcome, TrialState } from './types.ts';

export class ClientStudy {
  readonly id: string;
  readonly study: Study;
  readonly folder: ClientFolder;
  readonly #marks = new Map<string, readonly string[]>();
  /** Time that it has taken while trials were open and this process ran. */
  #elapsedMs: number;
  #since = performance.now();
  /** Of the telling that is under way. */
  #telling: readonly string[] = [];

  constructor(id: string, folder: ClientFolder) {
    this.id = id;
    this.folder = folder;
    this.study = createStudy(folder.plan.spec, folder.events);
    this.#elapsedMs = this.study.trials.reduce(
      (most, { outcome }) => Math.max(most, outcome?.elapsedMs ?? 0),
      0,
    );
    for (const event of folder.events) if ('told' in event) this.#marks.set(event.told, event.marks ?? []);
    this.study.onEvent = (event) => folder.add('told' in event ? { ...event, marks: this.#telling } : event);
  }

  /** @throws TRIAL_UNKNOWN */
  trial(id: string): TrialState {
    const { trials } = this.study;
    const found = trials.find(({ trial }) => trial.id === id);
    if (!found) throw fail('TRIAL_UNKNOWN', { id, known: trials.length });
    return found;
  }

  /** Open trials that are not in `held`, then new ones; `n` at most. */
  ask(n: number, held?: readonly string[]) {
    this.#tick();
    const left = held ? this.study.open().filter(({ id }) => !held.includes(id)) : [];
    const trials = left.slice(0, n);
    return [...trials, ...this.study.ask(n - trials.length)];
  }

  /** @throws as `Study.tell` */
  tell(id: string, ended: Omit<Outcome, 'elapsedMs'>, marks: readonly string[]): void {
    this.#tick();
    this.#telling = marks;
    this.study.tell(id, { ...ended, elapsedMs: Math.round(this.#elapsedMs) } as Outcome);
    this.#marks.set(id, marks);
  }

  /** Whether a trial was told by one of these. */
  isTold(id: string, marks: readonly string[]): boolean {
    return this.#marks.get(id)?.some((mark) => marks.includes(mark)) ?? false;
  }

  state(): StudyState {
    const { spec, trials } = this.study;
    return {
      ...{ study: this.id, spec, done: this.study.done(), asked: trials.length },
      ...{ spent: this.study.spent(), open: this.study.open() },
      winners: this.study
        .winners()
        .map(({ trial, scored, value }) => ({ trial, image: scored.image, value, scored })),
    };
  }

  #tick(): void {
    const now = performance.now();
    if (this.study.open().length > 0) this.#elapsedMs += now - this.#since;
    this.#since = now;
  }
}
