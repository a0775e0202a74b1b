/**
 * What the strategies of studies gain by people's own ratings: rated images stand for what a diffusion model makes, the
 * scorer picks, and the ratings say what the pick is worth. Every figure is a mean over the prompts with a 95 % bootstrap
 * interval; strategies that are compared see the same prompts.
 *
 * npm run bench:study -- --data DIR [--scores F.csv] [--drafts F.jsonl] [--replays 20]
 *
 * DIR holds `ratings.csv` as `assay eval` reads it. Scores are those of `assay-base` out of fold, from the checkout,
 * unless a CSV of `name, quality, alignment` is named. `bench/study/drafts.ts` makes the scores of drafts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fail } from '../src/errors/error.ts';
import { bestOfN } from '../src/eval/figures/best-of-n.ts';
import type { Pair } from '../src/eval/figures/pairs.ts';
import { readRatings } from '../src/eval/ratings/ratings.ts';
import { randomFrom } from '../src/lib/random.ts';
import type { StudySpec } from '../src/loops/study/spec.ts';
import type { Trial } from '../src/loops/study/types.ts';
import { rewardOf } from '../src/reward/calibrate.ts';
import type { Manifest } from '../src/reward/model/manifest.ts';
import { readTable } from '../src/tables/table.ts';
import type { AspectScore } from '../src/types/aspect.ts';
import { calibrate, stopBy } from './study/early.ts';
import { meanOf, type PromptMean, ratioOf, text } from './study/figures.ts';
import { bySeed, type RatedImage, replay, type Values, type World } from './study/world.ts';

const OUT_OF_FOLD = fileURLToPath(new URL('../training/results/base.csv', import.meta.url));
const MANIFEST = fileURLToPath(new URL('../models/assay-base/manifest.json', import.meta.url));
const NO_SCORE: AspectScore = { score: 0, range: [0, 5], percentile: 0, interval: [0, 5], coverage: 0 };
const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    scores: { type: 'string', default: OUT_OF_FOLD },
    drafts: { type: 'string' },
    replays: { type: 'string', default: '20' },
  },
});
if (flags.data === undefined) throw new Error('--data DIR: the folder with ratings.csv');
const replays = Number(flags.replays);

/** Prices of one image, as shares of the spread. */
const PRICES = [0.1, 0.12, 0.14, 0.15, 0.16, 0.18, 0.2, 0.22, 0.25];
const SHOWN = [0.1, 0.15, 0.2];
/** Share of the images that may be used. */
const MOST = 0.6;

function scoresIn(path: string): Map<string, Values> {
  const { header, rows } = readTable(path, (reason) => fail('RATINGS_INVALID', { path, reason }));
  const at = (name: string) => header.indexOf(name);
  return new Map(
    rows.map(({ cells }) => [
      String(cells[at('name')]),
      withReward({ quality: Number(cells[at('quality')]), alignment: Number(cells[at('alignment')]) }),
    ]),
  );
}

const { reward } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as Manifest;

/** As the scorer makes its reward. */
function withReward(values: { quality: number; alignment: number }): Values {
  const aspect = (score: number): AspectScore => ({ ...NO_SCORE, score });
  const aspects = {
    quality: aspect(values.quality),
    alignment: aspect(values.alignment),
    authenticity: null,
  };
  return { ...values, reward: rewardOf(aspects, reward)! };
}

interface Drawn {
  name: string;
  effort?: number;
  share?: number;
  values: Values;
}

/** What was scored of drafts, whole images and previews; nothing without a file. */
function drawnIn(path: string | undefined): Drawn[] {
  const lines = path === undefined ? [] : readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Drawn);
}

const scores = scoresIn(flags.scores);
const drawn = drawnIn(flags.drafts);
/** By effort and name. */
const drafts = new Map(drawn.map(({ name, effort, values }) => [`${effort} ${name}`, values]));
const shown = Map.groupBy(
  drawn.filter(({ share }) => share !== undefined),
  ({ name }) => name,
);
const images = readRatings(join(flags.data, 'ratings.csv')).rows.map(
  ({ name, prompt, generator, mos }): RatedImage => ({
    ...{ name, prompt: prompt!, generator: generator! },
    mos: { ...(mos as Values), reward: (mos.quality! + mos.alignment!) / 2 },
    scores: scores.get(name)!,
    draft: drafts.get(`0.25 ${name}`),
    previews: new Map(
      shown
        .get(name)
        ?.toSorted((a, b) => a.share! - b.share!)
        .map(({ share, values }) => [share!, values]),
    ),
  }),
);
const prompts = [...Map.groupBy(images, ({ prompt }) => prompt)].map(([prompt, own]) => ({ prompt, own }));
const largest = Math.max(...prompts.map(({ own }) => own.length));

type Spec = Partial<StudySpec>;
type Measure = 'reward' | 'quality' | 'alignment';
type MakeWorld = (own: readonly RatedImage[], random: () => number) => World;

const average = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** A strategy on every prompt. */
function runAll(
  measure: Measure,
  spec: Spec,
  world: MakeWorld = bySeed,
  among: readonly { prompt: string; own: RatedImage[] }[] = prompts,
  early: (p: number) => Parameters<typeof replay>[2] = () => ({}),
): PromptMean[] {
  return among.map(({ prompt, own }, p) => {
    const mean = average(own.map(({ mos }) => mos[measure]!));
    const ends = Array.from({ length: replays }, (_, r) => {
      const seed = p * 1000 + r;
      return replay({ pick: [measure], ...spec, seed }, world(own, randomFrom(seed)), early(p))!;
    });
    return {
      prompt,
      gain: average(ends.map(({ picked }) => picked.mos[measure]! - mean)),
      work: average(ends.map(({ work }) => work)),
    };
  });
}

const gains = (means: readonly PromptMean[]) => means.map(({ gain }) => gain);
const works = (means: readonly PromptMean[]) => means.map(({ work }) => work);

const say = (line: string) => process.stdout.write(`${line}\n`);

/** How scores of all images are spread: what the calibration of a scorer knows. */
function expectedBy(measure: Measure) {
  const all = images.map((image) => image.scores[measure]!);
  const mean = average(all);
  return { mean, spread: Math.sqrt(average(all.map((x) => (x - mean) ** 2))) };
}

function bestOfNs(measure: Measure): void {
  const pairs = images.map((image) => ({
    ...image,
    score: image.scores[measure]!,
    mos: image.mos[measure]!,
  }));
  const curve = bestOfN(pairs as unknown as Pair[], ({ prompt }) => prompt)!;
  say('\nbest of N, gain in MOS over a blind pick; as the curve of `assay eval` tells it');
  for (const n of [1, 2, 4, 6, 8, 10].filter((n) => n <= curve.length)) {
    const found = meanOf(
      gains(
        runAll(
          measure,
          { images: n },
          bySeed,
          prompts.filter(({ own }) => own.length >= curve.length),
        ),
      ),
    );
    const told = curve[n - 1]!.pick - curve[n - 1]!.random;
    const isInside = found.ci !== null && found.ci[0] <= told && told <= found.ci[1];
    say(
      `  N=${String(n).padEnd(3)} ${text(found)}   eval ${told.toFixed(3)} ${isInside ? 'inside' : 'OUTSIDE'}`,
    );
  }
}

const priced = (measure: Measure, amount: number, known = true): Spec => ({
  images: largest,
  price: { amount, of: 'spread' },
  ...(known && { expected: expectedBy(measure) }),
});

/** For each half of the prompts the lowest price that kept within the images on the other half. */
function crossed(byPrice: readonly (readonly PromptMean[])[]): PromptMean[] {
  const isOf = (half: number) => (_: unknown, p: number) => p % 2 === half;
  return byPrice[0]!.map((_, p) => {
    const within = byPrice.find((means) => average(works(means.filter(isOf(1 - (p % 2))))) <= MOST * largest);
    return (within ?? byPrice.at(-1)!)[p]!;
  });
}

function notWorthIt(measure: Measure): void {
  const whole = runAll(measure, { images: largest });
  const tell = (name: string, means: readonly PromptMean[]) =>
    say(
      `  ${name.padEnd(40)} ${text(ratioOf(gains(means), gains(whole)))}   ${text(ratioOf(works(means), works(whole)))}`,
    );
  say(`\nnot worth it, against N=${largest}: share of its gain, share of its images`);
  const byPrice = PRICES.map((amount) => runAll(measure, priced(measure, amount)));
  for (const amount of SHOWN) tell(`price ${amount * 100} % of the spread`, byPrice[PRICES.indexOf(amount)]!);
  tell(`price for ${MOST * 100} %, from other prompts`, crossed(byPrice));
  for (const amount of SHOWN)
    tell(`nothing known beforehand, ${amount * 100} %`, runAll(measure, priced(measure, amount, false)));
  const fixed = Math.round(MOST * largest);
  tell(`best of ${fixed}`, runAll(measure, { images: fixed }));
}

/** A strategy, and best of N of the same prompts at equal cost. */
function compare(
  name: string,
  measure: Measure,
  spec: Spec,
  world: MakeWorld = bySeed,
  among = prompts,
  rest: Spec = {},
): void {
  const means = runAll(measure, spec, world, among);
  const cost = Math.max(1, Math.round(average(works(means))));
  const random = runAll(measure, { ...rest, images: cost }, world, among);
  const apart = meanOf(gains(means).map((gain, i) => gain - random[i]!.gain));
  say(
    `  ${name.padEnd(30)} gain ${text(meanOf(gains(means)))} at ${average(works(means)).toFixed(1)} images; best of ${cost} ${text(meanOf(gains(random)))}; apart ${text(apart)}`,
  );
}

/** The images of a prompt stand in a row, those of one family of generators beside each other. */
const inRow: MakeWorld = (own) => {
  const row = own.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return ({ parameters }: Trial) => row[Math.min(row.length - 1, Math.floor(Number(parameters.place)))]!;
};

/** Arms are generators, seeds are prompts of a set. */
function generators(measure: Measure): { prompt: string; own: RatedImage[] }[] {
  const sets = Map.groupBy(images, ({ prompt }) => prompts.findIndex((p) => p.prompt === prompt) % 24);
  return [...sets].map(([set, own]) => ({ prompt: `${set} ${measure}`, own }));
}
const names = [...new Set(images.map(({ generator }) => generator))];
const byArm: MakeWorld = (own, random) => {
  const byGenerator = Map.groupBy(own, ({ generator }) => generator);
  const worlds = new Map([...byGenerator].map(([name, images]) => [name, bySeed(images, random)]));
  return (trial) => worlds.get(String(trial.parameters.generator))!(trial);
};

/** Prompts whose images were scored by the scorer of the drafts and previews. */
const rescored = prompts
  .map(({ prompt, own }) => ({
    prompt,
    own: own.map((image) => ({ ...image, scores: drafts.get(`1 ${image.name}`)! })),
  }))
  .filter(({ own }) => own.every(({ scores }) => scores !== undefined));

/** Previews are measured on the other half of the prompts, and stop trials of this one. */
function previews(measure: Measure): void {
  const seen = rescored.filter(({ own }) => own.every(({ previews }) => previews!.size > 0));
  if (seen.length === 0) return;
  const halves = [0, 1].map((half) =>
    calibrate(
      seen.filter((_, p) => p % 2 !== half).flatMap(({ own }) => own),
      measure,
    ),
  );
  const told = halves[0]!.map(
    ({ share, srcc, interval }) => `${share * 100} %: ${srcc?.toFixed(2)} (from ${interval?.[0].toFixed(2)})`,
  );
  say(`  (previews of ${seen.length} prompts; rank correlation with the image at ${told.join(', ')})`);
  for (const demand of [0.7, 0.8, 0.9]) {
    const early = (p: number, most?: number) => ({
      ...{ watch: stopBy(halves[p % 2]!, demand, measure) },
      ...(most !== undefined && { most }),
    });
    const search = runAll(measure, { images: 4 }, bySeed, seen, (p) => early(p));
    const cost = average(works(search));
    const random = bestOfPart(measure, cost, seen);
    const apart = meanOf(gains(search).map((gain, i) => gain - random[i]!.gain));
    say(
      `  previews, demand ${demand}, budget 4: gain ${text(meanOf(gains(search)))} at ${cost.toFixed(2)} images; best of as many ${text(meanOf(gains(random)))}; apart ${text(apart)}`,
    );
    const part = runAll(measure, { images: 100 }, bySeed, seen, (p) => early(p, largest));
    const whole = runAll(measure, { images: largest }, bySeed, seen);
    const spared = meanOf(works(part).map((work, i) => 1 - work / works(whole)[i]!));
    say(
      `  previews of ${largest} seeds, demand ${demand}, spare ${text(spared)} of the work, and keep ${text(ratioOf(gains(part), gains(whole)))} of the gain`,
    );
  }
}

/** Best of N of the same prompts where N is no whole number: so much of the one and of the other. */
function bestOfPart(measure: Measure, cost: number, among: typeof prompts): PromptMean[] {
  const [low, high] = [Math.floor(cost), Math.ceil(cost)].map((images) =>
    runAll(measure, { images }, bySeed, among),
  ) as [PromptMean[], PromptMean[]];
  const share = cost - Math.floor(cost);
  return low.map((one, i) => ({ ...one, gain: (1 - share) * one.gain + share * high[i]!.gain }));
}

/** Drafts and whole images, both scored by the scorer that ships. It was fitted to these images: only ratios count. */
function halving(measure: Measure): void {
  const drafted = rescored.filter(({ own }) => own.every(({ draft }) => draft !== undefined));
  if (drafted.length === 0) return;
  say(`  (halving: the ${drafted.length} prompts whose drafts are scored, all by one scorer)`);
  for (const images of [3, 5])
    compare(`halving, budget ${images}`, measure, { images, strategy: { name: 'halving' } }, bySeed, drafted);
  const part = runAll(measure, { images: 5, strategy: { name: 'halving' } }, bySeed, drafted);
  const whole = runAll(measure, { images: largest }, bySeed, drafted);
  const spared = meanOf(works(part).map((work, i) => 1 - work / works(whole)[i]!));
  say(
    `  halving of ${largest} seeds saves ${text(spared)} of the work of making all, and keeps ${text(ratioOf(gains(part), gains(whole)))} of the gain`,
  );
}

function strategies(measure: Measure): void {
  say('\nstrategies against best of N at equal cost, gain in MOS');
  const middle = expectedBy(measure);
  compare('first above the mean + 1 spread', measure, {
    images: largest,
    strategy: { name: 'first', least: middle.mean + middle.spread },
  });
  halving(measure);
  previews(measure);
  const axes = { place: { low: 0, high: largest, whole: false } };
  compare(
    'neighbours',
    measure,
    { images: 12, axes, strategy: { name: 'neighbours', first: 6, round: 3 } },
    inRow,
    prompts,
    { axes },
  );
  const arms = { generator: { values: names } };
  compare(
    'variants (generators as arms)',
    measure,
    { images: 60, axes: arms, strategy: { name: 'variants' } },
    byArm,
    generators(measure),
    { axes: arms },
  );
}

say(`${images.length} images of ${prompts.length} prompts, ${replays} replays each; scores: ${flags.scores}`);
for (const measure of ['reward', 'quality', 'alignment'] as const) {
  say(`\n=== picked and rated by ${measure}`);
  bestOfNs(measure);
  notWorthIt(measure);
  strategies(measure);
}
