/** Figures of a bounded number of images and groups: the latest of a run, or its first. */
import type { RewardGroup, RewardItem } from '../../types/reward.ts';
import type { RunFigures } from '../../types/run.ts';

/** Images that the figures are of, at most, and groups. */
export const WINDOW = { images: 512, groups: 256 };

type Item = Pick<RewardItem, 'reward' | 'missing' | 'colour' | 'guards'>;
/** What is kept of an image. */
export interface Seen extends Item {
  /** By scorer and aspect. */
  scores: Record<string, number>;
  /** Its bytes and sides, by their digest; null when it did not arrive. */
  image: string | null;
  hasFailed: boolean;
}
export type SeenGroup = Pick<RewardGroup, 'std' | 'used' | 'zeroVariance'>;

export function seen({ components, sha256, width, height, error, ...item }: RewardItem): Seen {
  const scores = Object.values(components).flatMap(({ scorer, aspects }) =>
    Object.entries(aspects).map(([aspect, { score }]): [string, number] => [
      `${scorer?.id}/${aspect}`,
      score,
    ]),
  );
  const { reward, missing, colour, guards } = item;
  return {
    ...{ reward, missing, colour, guards },
    scores: Object.fromEntries(scores),
    image: sha256 && `${sha256} ${width}x${height}`,
    hasFailed: error !== null,
  };
}

export function meanOf(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}

/** Standard deviation; 0 for fewer than two. */
export function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values) ?? 0;
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)) ?? 0);
}

export class Window {
  readonly #images: Seen[] = [];
  readonly #groups: SeenGroup[] = [];

  get isFull(): boolean {
    return this.#images.length >= WINDOW.images;
  }

  /** The oldest make room. */
  add(images: Seen[], groups: SeenGroup[]): void {
    this.#images.push(...images);
    this.#images.splice(0, this.#images.length - WINDOW.images);
    // one image has no spread
    this.#groups.push(...groups.filter(({ used }) => used > 1));
    this.#groups.splice(0, this.#groups.length - WINDOW.groups);
  }

  colours(of: 'saturation' | 'colourfulness'): number[] {
    return this.#images.flatMap(({ colour }) => colour?.[of] ?? []);
  }

  get figures(): RunFigures {
    const images = this.#images;
    const share = (fits: (image: Seen) => boolean) => meanOf(images.map((image) => Number(fits(image)))) ?? 0;
    const [saturation, colourfulness] = [
      meanOf(this.colours('saturation')),
      meanOf(this.colours('colourfulness')),
    ];
    return {
      images: images.length,
      reward: meanOf(images.flatMap(({ reward }) => reward ?? [])),
      aspects: aspectsOf(images),
      withinGroups: meanOf(this.#groups.flatMap(({ std }) => std ?? [])),
      zeroVariance: meanOf(this.#groups.map(({ zeroVariance }) => Number(zeroVariance))),
      duplicates: duplicatesIn(images),
      guarded: share(({ guards }) => guards.length > 0),
      missing: share(({ missing }) => missing !== null),
      failed: share(({ hasFailed }) => hasFailed),
      colour: saturation === null || colourfulness === null ? null : { saturation, colourfulness },
    };
  }
}

function aspectsOf(images: readonly Seen[]): Record<string, number> {
  const names = [...new Set(images.flatMap(({ scores }) => Object.keys(scores)))];
  return Object.fromEntries(
    names.map((name) => [name, meanOf(images.flatMap(({ scores }) => scores[name] ?? []))!]),
  );
}

/** Share of the images that another one before them equals. */
function duplicatesIn(images: readonly Seen[]): number {
  const known = images.flatMap(({ image }) => image ?? []);
  return known.length > 0 ? 1 - new Set(known).size / known.length : 0;
}
