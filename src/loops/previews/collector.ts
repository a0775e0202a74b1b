/** Measures what previews tell: keeps those of a run, and has them scored once its image is judged. */
import { fail } from '../../errors/error.ts';
import type { HostEvent } from '../../host.ts';
import type { Study } from '../study/study.ts';
import type { Scored, Trial } from '../study/types.ts';
import { pointAt } from './calibration.ts';
import type { Early, Looked } from './early.ts';
import { type Shown, Steps } from './steps.ts';

/** Scores a preview by the prompt that the finished image was judged by. @throws AssayError */
type LookBeside = (image: string, trial: Trial, bytes: Uint8Array, signal: AbortSignal) => Promise<Looked>;

export class Collector implements Early {
  readonly #study: Study;
  readonly #look: LookBeside;
  readonly #steps = new Steps();
  /** By trial, the first of each point. */
  readonly #shown = new Map<string, Map<string, Shown>>();
  /** Trials whose runs were followed from their beginnings. */
  readonly #whole = new Set<string>();

  constructor(study: Study, look: LookBeside) {
    this.#study = study;
    this.#look = look;
  }

  see({ id }: Trial, event: HostEvent): void {
    if (event.kind === 'started') {
      this.#whole.add(id);
      this.#shown.delete(id);
    }
    for (const shown of this.#steps.hear(event)) {
      const point = pointAt(shown.step, shown.of);
      const own = this.#shown.get(id) ?? new Map<string, Shown>();
      const key = `${shown.node} ${point}`;
      if (point > 0 && !own.has(key)) own.set(key, shown);
      this.#shown.set(id, own);
    }
  }

  /** @throws PREVIEWS_BATCH, PREVIEWS_NONE */
  async finished(trial: Trial, images: readonly Scored[], signal: AbortSignal): Promise<void> {
    if (images.length > 1) throw fail('PREVIEWS_BATCH', { images: images.length });
    const shown = [...(this.#shown.get(trial.id)?.values() ?? [])];
    this.#shown.delete(trial.id);
    if (shown.length === 0 && this.#whole.has(trial.id) && !this.#hasAny()) throw fail('PREVIEWS_NONE', {});
    const steps = new Map(shown.map(({ node, of }) => [node, of]));
    const nodes = [...steps.keys()];
    const sum = (some: readonly string[]) => some.reduce((total, node) => total + steps.get(node)!, 0);
    // Of an earlier life of this process, which ended before the trial was told.
    if (this.#study.trials.some((state) => state.trial.id === trial.id && state.previews)) return;
    for (const { node, step, of, bytes } of shown) {
      const looked = await this.#look(images[0]!.image, trial, bytes, signal);
      const share = (sum(nodes.slice(0, nodes.indexOf(node))) + step) / sum(nodes);
      this.#study.preview(trial.id, { node, step, of, share, values: looked.values, size: looked.size });
    }
  }

  #hasAny = (): boolean => this.#study.trials.some(({ previews }) => previews !== undefined);

  prunedOf = () => null;
  close = () => Promise.resolve();
}
