/**
 * What `assay refine` claims on made-up scores whose true gains are known: how often an improvement is claimed where
 * variants change nothing, how often one is found that is there, and whether the interval that is told holds it.
 * Columns: share of prompts with a claim; share of intervals that hold the true gain; of the claims, the gain that was
 * told and the true one, in MOS; images a prompt.
 *
 * npm run bench:refine -- [--repeat N]
 */
import { parseArgs } from 'node:util';
import { counted } from '../src/lib/words.ts';
import { type Played, play, type Shape, type World } from './refine/simulate.ts';

const { values } = parseArgs({ options: { repeat: { type: 'string', default: '20' } } });
const PROMPTS = 30;
const repeats = Number(values.repeat);

/** In MOS; scores of one generator's images are spread by 0.3 to 0.8 MOS in AGIQA-3K. */
const SPREAD = 0.5;
const SHAPES: readonly Shape[] = ['normal', 'skewed', 'heavy'];
const SHARED = [0, 0.6];
const GAINS = [0.1, 0.3, 0.5];

const percent = (part: number, of: number): string =>
  of === 0 ? '–' : `${((100 * part) / of).toFixed(1)} %`;
const meanOf = (numbers: number[]): string =>
  numbers.length === 0 ? '–' : (numbers.reduce((a, b) => a + b, 0) / numbers.length).toFixed(2);

function playAll(world: World): Played[] {
  return Array.from({ length: PROMPTS * repeats }, (_, i) => play(world, 40_503 * (i + 1)));
}

function row(name: string, played: Played[]): string {
  const claims = played.filter(({ verdict }) => verdict.kind === 'better');
  const confirmed = played.filter(({ verdict }) => verdict.gain !== null);
  const held = confirmed.filter(({ verdict: { gain }, truth }) => {
    const [low, high] = gain!.interval;
    return low <= truth && truth <= high;
  });
  return [
    name.padEnd(42),
    percent(claims.length, played.length).padStart(7),
    percent(held.length, confirmed.length).padStart(9),
    meanOf(claims.map(({ verdict }) => verdict.gain!.mean)).padStart(8),
    meanOf(claims.map(({ truth }) => truth)).padStart(8),
    meanOf(played.map(({ images }) => images)).padStart(9),
  ].join('');
}

const HEAD = `${''.padEnd(42)}claimed  interval    told     truly   images`;
process.stdout.write(
  `${counted(PROMPTS, 'prompt')}, ${repeats} times; spread between seeds ${SPREAD} MOS\n\nnothing to gain\n${HEAD}\n`,
);
for (const shape of SHAPES)
  for (const wider of [1, 2]) {
    const name = `${shape}${wider > 1 ? `, variants spread ${wider} times as wide` : ''}`;
    process.stdout.write(`${row(name, playAll({ spread: SPREAD, shared: 0.3, shape, wider, gain: 0 }))}\n`);
  }
process.stdout.write(`\none variant a round gains, in MOS\n${HEAD}\n`);
for (const gain of GAINS)
  for (const shared of SHARED) {
    const name = `${gain}, seeds share ${shared} of the variance`;
    process.stdout.write(
      `${row(name, playAll({ spread: SPREAD, shared, shape: 'normal', wider: 1, gain }))}\n`,
    );
  }
