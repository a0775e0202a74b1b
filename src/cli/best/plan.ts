/** What a study is to do, from the flags of `assay best` and the workflow. */
import { fail } from '../../errors/error.ts';
import type { Template, WorkflowInput } from '../../host.ts';
import { readNamedFile } from '../../lib/plain-file.ts';
import type { Plan } from '../../loops/study/folder.ts';
import { type Axis, specOf } from '../../loops/study/spec.ts';
import type { Value } from '../../loops/study/types.ts';
import { inFlags, usage } from '../input/flags.ts';
import { type Given, planHead } from '../study/start.ts';

/** Flags that say what a study does; a study that is gone on with has its own. */
export interface PlanFlags {
  keep?: number;
  images?: number;
  minutes?: number;
  vary?: string[];
  strategy?: string;
  least?: number;
  price?: string;
  by?: string;
  prompt?: string;
  seed?: number;
}

const RANGE = /^(-?[\d.]+(?:e-?\d+)?)\.\.(-?[\d.]+(?:e-?\d+)?)$/i;

/** A value of the kind that the input has now. @throws USAGE */
function typed(text: string, { name, value }: WorkflowInput): Value {
  if (typeof value === 'string') return text;
  const trimmed = text.trim();
  if (typeof value === 'boolean') {
    if (trimmed !== 'true' && trimmed !== 'false')
      throw usage(`--vary ${name}: "${text}" is neither true nor false`);
    return trimmed === 'true';
  }
  const number = Number(trimmed);
  if (trimmed === '' || !Number.isFinite(number))
    throw usage(`--vary ${name}: "${text}" is no number, and the workflow has ${value} there`);
  return number;
}

const linesOf = (path: string): string[] =>
  readNamedFile(path)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');

/** @param text what stands behind the `=` */
function axisOf(text: string, input: WorkflowInput): Axis {
  const [, from, to] = RANGE.exec(text) ?? [];
  if (from !== undefined && to !== undefined && typeof input.value !== 'string') {
    const [low, high] = [Number(from), Number(to)];
    if (!(low < high)) throw usage(`--vary ${input.name}: ${from} is not below ${to}`);
    return { low, high, whole: ![from, to, `${input.value}`].some((number) => number.includes('.')) };
  }
  const texts = text.startsWith('@') ? linesOf(text.slice(1)) : text.split(',');
  const values = [...new Set(texts.map((one) => typed(one, input)))];
  if (values.length === 0) throw usage(`--vary ${input.name}: ${text} has no values`);
  return { values };
}

/** Seeds that were named, and axes by the name of their input. @throws USAGE, INPUT_UNKNOWN, INPUT_LINKED */
function variedBy(flags: readonly string[], template: Template) {
  const seeds: string[] = [];
  const axes: Record<string, Axis> = {};
  for (const flag of flags) {
    const [, name, text] = /^([^=]+?)(?:=(.*))?$/s.exec(flag) ?? [];
    if (name === undefined) throw usage(`--vary ${flag}: write NODE.INPUT=VALUES`);
    const input = template.input(name);
    if (text !== undefined) axes[input.name] = axisOf(text, input);
    else if (template.seeds.some((seed) => seed.name === input.name)) seeds.push(input.name);
    else throw usage(`--vary ${name}: it is no seed, so say what it may be: --vary ${name}=A,B,C`);
  }
  return { seeds, axes };
}

/** @param text `0.02`, or `10%` of the spread. @throws USAGE */
function priceOf(text: string) {
  const [, number, percent] = /^([\d.]+)\s*(%?)$/.exec(text.trim()) ?? [];
  const amount = Number(number) / (percent ? 100 : 1);
  if (!(amount > 0)) throw usage(`--price ${text}: write a gain above 0, such as 0.02 or 10%`);
  return { amount, of: percent ? 'spread' : 'score' };
}

/** How many images differ at all where nothing but listed values is varied. */
const differing = (axes: Record<string, Axis>): number =>
  Object.values(axes).reduce(
    (n, axis) => n * ('values' in axis ? axis.values.length : Number.POSITIVE_INFINITY),
    1,
  );

function strategyOf({ strategy, least }: PlanFlags) {
  const name = strategy ?? (least === undefined ? 'best-of-n' : 'first');
  return { name, ...(least !== undefined && { least }) };
}

export const pickOf = (by: string): string[] => {
  const measures = by.split(',').map((measure) => measure.trim());
  const wrong = measures.find((measure) => !/(^|\.)(reward|quality|alignment|authenticity)$/.test(measure));
  if (wrong !== undefined)
    throw usage(
      `--by ${wrong}: write reward, quality, alignment or authenticity, of another scorer with its id before it: ID.quality`,
    );
  return measures;
};

/** Flags that are not called as the field of the plan that they make. */
const FLAGS = { axes: '--vary', pick: '--by', 'strategy.least': '--least', 'strategy.of': '--vary' };

/** @throws USAGE, STUDY_INVALID, NO_SEED, INPUT_UNKNOWN, INPUT_LINKED, FILE_NOT_FOUND, FILE_UNREADABLE */
export function planOf(given: Given<PlanFlags>): Plan {
  const { flags, template, file } = given;
  const { seeds, axes } = variedBy(flags.vary ?? [], template);
  const free = template.seeds.map(({ name }) => name).filter((name) => !(name in axes));
  const varied = seeds.length > 0 ? seeds : free;
  if (varied.length === 0 && Object.keys(axes).length === 0) throw fail('NO_SEED', { source: file });
  const most = varied.length > 0 ? Number.POSITIVE_INFINITY : differing(axes);
  const asked = {
    version: 1,
    seed: flags.seed ?? Math.floor(Math.random() * 2 ** 32),
    axes,
    strategy: strategyOf(flags),
    pick: flags.by === undefined ? undefined : pickOf(flags.by),
    keep: flags.keep,
    images: Math.min(flags.images ?? 60, most),
    minutes: flags.minutes,
    price: flags.price === undefined ? undefined : priceOf(flags.price),
  };
  const spec = inFlags(() => specOf(asked), FLAGS);
  const steps = template.steps.map(({ name }) => name).filter((name) => !(name in axes));
  return {
    ...{ ...planHead(given), spec },
    ...{ seeds: varied, steps, prompt: flags.prompt ?? null },
  };
}
