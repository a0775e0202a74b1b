/**
 * How often the monitor warns of a run in which nothing happens, and how soon of one that is gamed. Runs are drawn: the
 * reward and the held-out score of a group of 8 images of one of some prompts, with what differs between prompts, groups
 * and images as standard deviations 1, 0.5 and 1.
 *
 * npm run bench:monitor -- [--runs N] [--groups N] [--json]
 */
import { parseArgs } from 'node:util';
import { Run } from '../src/loops/monitor/run.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '400' },
    groups: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
});
const [runs, groups] = [Number(values.runs), Number(values.groups)];
const GROUP = 8;

interface Kind {
  name: string;
  /** How many prompts there are; 0: each group has one of its own. */
  prompts?: number;
  /** Correlation of both scores between prompts, groups and images. */
  correlation?: number;
  /** Share of a group's own part that the next one has, too. */
  memory?: number;
  /** Share of the images that are far out. */
  outliers?: number;
  /** By how many standard deviations of an image either moves in all. */
  drift?: { reward: number; heldOut: number };
}

const STATIONARY: Kind[] = [
  { name: 'prompts of their own' },
  { name: '16 prompts', prompts: 16 },
  { name: '16 prompts, both agree (0.7)', prompts: 16, correlation: 0.7 },
  { name: '16 prompts, both disagree (-0.7)', prompts: 16, correlation: -0.7 },
  { name: '16 prompts, far-out images (5 %)', prompts: 16, outliers: 0.05 },
  { name: '16 prompts, groups with memory (0.5)', prompts: 16, memory: 0.5 },
  { name: 'both disagree (-0.7), with memory (0.5)', prompts: 16, correlation: -0.7, memory: 0.5 },
];
const DRIFTING: Kind[] = [
  { name: 'prompts of their own, 1.5 up, 1.5 down', drift: { reward: 1.5, heldOut: -1.5 } },
  ...[0.5, 1, 2].map((by) => ({
    name: `16 prompts, ${by} up, ${by} down`,
    prompts: 16,
    drift: { reward: by, heldOut: -by },
  })),
  { name: '16 prompts, 2 up, 0.5 down', prompts: 16, drift: { reward: 2, heldOut: -0.5 } },
  { name: '16 prompts, 2 up, none down', prompts: 16, drift: { reward: 2, heldOut: 0 } },
  { name: '16 prompts, 2 up, 2 up', prompts: 16, drift: { reward: 2, heldOut: 2 } },
];

/** Uniform 0..1. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

type Both = [reward: number, heldOut: number];

function drawn(kind: Kind, seed: number) {
  const { prompts = 0, correlation = 0, memory = 0, outliers = 0, drift = { reward: 0, heldOut: 0 } } = kind;
  const random = uniform(seed);
  const both = (spread: number): Both => {
    const one = normal(random);
    const other = correlation * one + Math.sqrt(1 - correlation ** 2) * normal(random);
    return [spread * one, spread * other];
  };
  const ofPrompt = Array.from({ length: prompts }, () => both(1));
  let own: Both = both(0.5);
  return (at: number) => {
    const fresh = both(0.5);
    const rest = Math.sqrt(1 - memory ** 2);
    own = [memory * own[0] + rest * fresh[0], memory * own[1] + rest * fresh[1]];
    const number = prompts > 0 ? Math.floor(random() * prompts) : at;
    const base = ofPrompt[number] ?? both(1);
    const pairs = Array.from({ length: GROUP }, () => {
      const image = both(random() < outliers ? 6 : 1);
      return {
        reward: base[0] + own[0] + image[0] + (drift.reward * at) / groups,
        heldOut: base[1] + own[1] + image[1] + (drift.heldOut * at) / groups,
      };
    });
    return { prompt: String(number), pairs };
  };
}

/** At which of its groups a run is warned of. */
function warningsOf(kind: Kind, seed: number): number[] {
  const next = drawn(kind, seed);
  const run = new Run('drawn', null);
  return Array.from({ length: groups }, (_, at) => {
    const { prompt, pairs } = next(at);
    return run.judge(pairs, prompt, 'held-out') ? [at + 1] : [];
  }).flat();
}

function measure(kind: Kind, number: number) {
  const all = Array.from({ length: runs }, (_, i) => warningsOf(kind, 7919 * (runs * number + i + 1)));
  const first = all.flatMap(([at]) => at ?? []).sort((a, b) => a - b);
  return {
    name: kind.name,
    warned: first.length / runs,
    warningsPerThousandGroups: (1000 * all.flat().length) / (runs * groups),
    medianGroups: first[Math.floor(first.length / 2)] ?? null,
  };
}

const report = {
  runs,
  groups,
  stationary: STATIONARY.map(measure),
  drifting: DRIFTING.map((kind, i) => measure(kind, STATIONARY.length + i)),
};
if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
else {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  process.stdout.write(`${runs} runs of ${groups} judged groups each\n\n`);
  for (const [title, rows] of [
    ['nothing happens', report.stationary],
    ['drift over the whole run, in standard deviations of an image', report.drifting],
  ] as const) {
    process.stdout.write(`${title.padEnd(62)} warned  after groups (median)\n`);
    for (const { name, warned, medianGroups } of rows)
      process.stdout.write(`  ${name.padEnd(60)} ${percent(warned).padStart(6)}  ${medianGroups ?? '-'}\n`);
  }
}
