/**
 * Which step each preview of a run shows. A host tells of a step and of its preview one after the other, some in this
 * order and some in that, and of previews that nobody took in time the newest alone is left.
 */
import type { HostEvent } from '../../host.ts';

/** A preview and its step. */
export interface Shown {
  node: string;
  /** From 1. */
  step: number;
  /** Steps of that node. */
  of: number;
  bytes: Uint8Array;
}

type Told = Extract<HostEvent, { kind: 'progress' }>;
type Preview = Extract<HostEvent, { kind: 'preview' }>;

interface Run {
  last?: Told | undefined;
  /** A preview whose step is still to be told. */
  waiting?: Preview | undefined;
  /** What came while the order was not known. */
  unclear: (Told | Preview)[];
}

const isOf = ({ node }: Preview, told: Told): boolean => node === null || node === told.node;

/** Of one host: its order is known from its first runs on. */
export class Steps {
  /** Whether a preview comes before its step is told of; undefined: not known yet. */
  #isAhead: boolean | undefined;
  readonly #runs = new Map<string, Run>();

  /** @returns the previews whose steps are known now, in order */
  hear(event: HostEvent): Shown[] {
    if (event.kind === 'ended') return this.#end(event.id);
    if (event.kind !== 'progress' && event.kind !== 'preview') return [];
    const run = this.#runs.get(event.id) ?? { unclear: [] };
    this.#runs.set(event.id, run);
    if (this.#isAhead !== undefined && run.unclear.length === 0) return this.#place(run, event);
    this.#isAhead ??= orderBy(run, event);
    run.unclear.push(event);
    if (event.kind === 'progress') run.last = event;
    return this.#isAhead === undefined ? [] : this.#placeUnclear(run);
  }

  /** A run whose last word is its last step showed it before; where nothing tells, the step was told first. */
  #end(id: string): Shown[] {
    const run = this.#runs.get(id);
    this.#runs.delete(id);
    if (!run?.unclear.some(({ kind }) => kind === 'preview')) return [];
    const last = run.unclear.at(-1)!;
    this.#isAhead ??= last.kind === 'progress' && last.value === last.max;
    return this.#placeUnclear(run);
  }

  #placeUnclear(run: Run): Shown[] {
    const events = run.unclear;
    run.unclear = [];
    run.last = undefined;
    return events.flatMap((event) => this.#place(run, event));
  }

  #place(run: Run, event: Told | Preview): Shown[] {
    if (event.kind === 'preview') {
      if (this.#isAhead) run.waiting = event;
      return !this.#isAhead && run.last ? shownAt(event, run.last) : [];
    }
    const { waiting } = run;
    run.last = event;
    run.waiting = undefined;
    return waiting ? shownAt(waiting, event) : [];
  }
}

/** A preview before all steps, or behind the last one, tells the order. */
function orderBy({ last }: Run, event: Told | Preview): boolean | undefined {
  if (event.kind === 'progress') return undefined;
  if (!last || !isOf(event, last) || last.value === 0) return true;
  return last.value === last.max ? false : undefined;
}

function shownAt(preview: Preview, told: Told): Shown[] {
  if (!isOf(preview, told) || told.value < 1 || told.value > told.max) return [];
  return [{ node: told.node, step: told.value, of: told.max, bytes: preview.bytes }];
}
