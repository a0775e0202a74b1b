/** What is known of every prompt on every seed. */
import { imagesOf } from '../study/pick.ts';
import type { Outcome, Scored } from '../study/types.ts';
import { differences, mean, type Values } from './gain.ts';
import type { Variant } from './types.ts';

/** A prompt on a seed, by its place among the seeds of the refinement. */
export interface Place {
  variant: Variant;
  seed: number;
}

/** A trial that failed is made once more; then its seed is left out. */
const TRIES = 2;

export const idOf = ({ variant, seed }: Place): string => `${variant.id}-s${seed + 1}`;

export class Scores {
  readonly #by: string;
  readonly #outcomes = new Map<string, Outcome[]>();

  /** @param by name of the measure */
  constructor(by: string) {
    this.#by = by;
  }

  add(id: string, outcome: Outcome): void {
    this.#outcomes.set(id, [...(this.#outcomes.get(id) ?? []), outcome]);
  }

  clear(): void {
    this.#outcomes.clear();
  }

  #last = (place: Place): Outcome | undefined => this.#outcomes.get(idOf(place))?.at(-1);

  isMade(place: Place): boolean {
    const last = this.#last(place);
    return last !== undefined && (!('failed' in last) || this.#outcomes.get(idOf(place))!.length >= TRIES);
  }

  images = (place: Place): readonly Scored[] => imagesOf(this.#last(place) ?? null);

  /** Mean over the images of a trial; null when one of them has none. */
  #value(place: Place): number | null {
    const values = this.images(place).map((image) => image.values[this.#by] ?? null);
    return values.includes(null) ? null : mean(values as number[]);
  }

  /** On the seeds from `from` up to, and without, `to`, where it was made and did not fail. */
  values(variant: Variant, from: number, to: number): Values {
    const seeds = Array.from({ length: to - from }, (_, i) => from + i);
    const made = seeds.map((seed) => ({ variant, seed })).filter((place) => this.images(place).length > 0);
    return new Map(made.map((place) => [place.seed, this.#value(place)]));
  }

  /** Mean difference on shared seeds; null where there are none. */
  gain(variant: Variant, base: Variant, from: number, to: number): number | null {
    const found = differences(this.values(variant, from, to), this.values(base, from, to));
    return found.length > 0 ? mean(found) : null;
  }

  /** Seeds on which it has no value though the other one has. */
  lacking(variant: Variant, base: Variant, from: number, to: number): number {
    const other = this.values(base, from, to);
    return [...this.values(variant, from, to)].filter(
      ([seed, value]) => value === null && (other.get(seed) ?? null) !== null,
    ).length;
  }

  /** Images that were made; those of failed trials cost nothing. */
  spent(): number {
    const made = [...this.#outcomes.values()].map((outcomes) => outcomes.at(-1)!);
    return made.reduce(
      (sum, outcome) => sum + ('failed' in outcome ? 0 : Math.max(1, imagesOf(outcome).length)),
      0,
    );
  }

  /** Most images that a trial has made, at least 1. */
  batch(): number {
    return Math.max(1, ...[...this.#outcomes.values()].map((outcomes) => imagesOf(outcomes.at(-1)!).length));
  }
}
