/** What is known of one training run: bounded, however long it lasts. */
import type { Colour } from '../../types/image.ts';
import type { RewardResult } from '../../types/reward.ts';
import type { Divergence, HeldOutFigures, RunFigures, RunReport, RunWarning } from '../../types/run.ts';
import { changesAt, isGamed, type Judged, SPANS } from './divergence.ts';
import { deviationOf, meanOf, seen, Window } from './window.ts';

/** Two of the longest spans. */
const MOST_GROUPS = 2 * SPANS.at(-1)!;
/** Warnings that are kept. */
const MOST_WARNINGS = 16;
/** Keys of requests that may be sent again. */
const MOST_KEYS = 1024;

/** One image of a judged group. */
export interface Pair {
  reward: number;
  heldOut: number;
}

interface JudgedGroup extends Judged {
  /** How many pairs of its images both put in the same order, and how many they order at all. */
  agreed: number;
  ordered: number;
}

export class Run {
  readonly name: string;
  readonly profile: string | null;
  readonly #since = Date.now();
  readonly #recent = new Window();
  readonly #start = new Window();
  readonly #groups: JudgedGroup[] = [];
  /** By span. */
  readonly #changes = new Map<number, Divergence>();
  readonly #warnings: RunWarning[] = [];
  readonly #keys = new Set<string>();
  #latest = this.#since;
  #images = 0;
  #judged = 0;
  #skipped = 0;
  /** Groups until what has been warned of is no news any more. */
  #quiet = 0;
  /** Of a group that is to be judged; one whole is due. */
  #due = 0;

  constructor(name: string, profile: string | null) {
    this.name = name;
    this.profile = profile;
  }

  /** Whether the next group is one of the share that is judged. */
  isDue(share: number): boolean {
    this.#due += share;
    if (this.#due < 1) return false;
    this.#due -= 1;
    return true;
  }

  /** @returns false for a request that was counted before */
  add({ results, groups }: Pick<RewardResult, 'results' | 'groups'>, key: string | undefined): boolean {
    if (key !== undefined && this.#keys.has(key)) return false;
    if (key !== undefined) this.#remember(key);
    const images = results.map(seen);
    this.#recent.add(images, groups);
    if (!this.#start.isFull) this.#start.add(images, groups);
    this.#images += images.length;
    this.#latest = Date.now();
    return true;
  }

  #remember(key: string): void {
    this.#keys.add(key);
    if (this.#keys.size > MOST_KEYS) this.#keys.delete(this.#keys.values().next().value!);
  }

  skip(): void {
    this.#skipped++;
  }

  /** Takes a group that both have judged. @returns the warning that it is a reason for */
  judge(pairs: Pair[], prompt: string, scorer: string): RunWarning | null {
    const reward = meanOf(pairs.map((pair) => pair.reward));
    const heldOut = meanOf(pairs.map((pair) => pair.heldOut));
    if (reward === null || heldOut === null) {
      this.skip();
      return null;
    }
    this.#judged++;
    this.#groups.push({ reward, heldOut, prompt, ...agreementOf(pairs) });
    this.#groups.splice(0, this.#groups.length - MOST_GROUPS);
    const news = changesAt(this.#judged, this.#groups);
    for (const change of news) this.#changes.set(change.groups, change);
    if (this.#quiet > 0) {
      this.#quiet--;
      return null;
    }
    const found = news.find(isGamed);
    if (!found) return null;
    const message = worded(this.name, found, scorer);
    const warning = { ...found, run: this.name, profile: this.profile, at: this.#latest, scorer, message };
    this.#quiet = found.groups;
    this.#warnings.push(warning);
    this.#warnings.splice(0, this.#warnings.length - MOST_WARNINGS);
    return warning;
  }

  report(hasHeldOut: boolean): RunReport {
    const start = this.#start.figures;
    return {
      run: this.name,
      profile: this.profile,
      since: this.#since,
      latest: this.#latest,
      images: this.#images,
      recent: this.#recent.figures,
      start,
      drift: this.#drift(start),
      heldOut: hasHeldOut ? this.#heldOut() : null,
      warnings: [...this.#warnings],
    };
  }

  #drift({ colour }: RunFigures): Colour | null {
    const now = this.#recent.figures.colour;
    if (!colour || !now) return null;
    const moved = (of: keyof Colour) => {
      const spread = deviationOf(this.#start.colours(of));
      return spread > 0 ? (now[of] - colour[of]) / spread : 0;
    };
    return { saturation: moved('saturation'), colourfulness: moved('colourfulness') };
  }

  #heldOut(): HeldOutFigures {
    const groups = this.#groups.slice(-SPANS.at(-1)!);
    const ordered = groups.reduce((sum, group) => sum + group.ordered, 0);
    const agreed = groups.reduce((sum, group) => sum + group.agreed, 0);
    return {
      judged: this.#judged,
      skipped: this.#skipped,
      reward: meanOf(groups.map(({ reward }) => reward)),
      score: meanOf(groups.map(({ heldOut }) => heldOut)),
      agreement: ordered > 0 ? agreed / ordered : null,
      changes: [...this.#changes.values()].sort((a, b) => a.groups - b.groups),
    };
  }
}

function agreementOf(pairs: Pair[]): Pick<JudgedGroup, 'agreed' | 'ordered'> {
  const orders = pairs.flatMap((one, i) =>
    pairs.slice(i + 1).map((other) => (one.reward - other.reward) * (one.heldOut - other.heldOut)),
  );
  const ordered = orders.filter((product) => product !== 0);
  return { agreed: ordered.filter((product) => product > 0).length, ordered: ordered.length };
}

const digits = (value: number): string => value.toPrecision(3);

const worded = (run: string, { groups, reward, heldOut }: Divergence, scorer: string): string =>
  `run ${run}: in the latest ${groups} groups the reward is ${digits(reward.after)}, before ${digits(reward.before)}, while ${scorer} gives ${digits(heldOut.after)}, before ${digits(heldOut.before)}: the reward may be gamed`;
