/** The plots of the report. Colours are CSS variables of the page, with values for a plot that is cut out of it. */
import type { Markish, MarkOptions } from '@observablehq/plot';
import { randomFrom, shuffled } from '../../lib/random.ts';
import { decimal } from '../../page/format.ts';
import type { Drawing, Library } from '../../page/plots.ts';
import type { BestOfN } from '../figures/best-of-n.ts';
import type { ScoreBin } from '../figures/calibration.ts';

/** One image of a scatter plot. */
export interface Dot {
  score: number;
  mos: number;
  /** CSS colour. */
  color: string;
}

/** Lowest and highest value of each axis. */
export interface Axes {
  score: [number, number];
  mos: [number, number];
  /** Whether both are in one scale, so that equal values can be compared. */
  comparable: boolean;
}

const INK = 'currentColor';
const ACCENT = 'var(--accent, #2f6bd8)';
const MUTED = 'var(--muted, #6b7280)';
const PAPER = 'var(--paper, #fff)';
const GUIDE: MarkOptions = { stroke: INK, strokeOpacity: 0.6, strokeDasharray: '5 4' };
const MARGINS = { marginTop: 28, marginLeft: 48, marginBottom: 44 };

/** The range of the values with a margin of 4 % at both ends. */
export function padded(values: readonly number[]): [number, number] {
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const margin = 0.04 * (high - low) || 0.5;
  return [low - margin, high + margin];
}

/** Where score and MOS are equal. */
function diagonal(Plot: Library, { score, mos, comparable }: Axes): Markish[] {
  const low = Math.max(score[0], mos[0]);
  const high = Math.min(score[1], mos[1]);
  const ends: [number, number][] = [
    [low, low],
    [high, high],
  ];
  return comparable && low < high ? [Plot.line(ends, GUIDE)] : [];
}

const scoreAxis = { label: 'predicted score', grid: true };
const mosAxis = { label: 'mean opinion score (MOS)', grid: true };
const dotStyle = { x: 'score', y: 'mos', fill: 'color', fillOpacity: 0.6, stroke: 'none' };

/** Prediction against MOS, all images. */
export const scatter =
  (dots: readonly Dot[], axes: Axes): Drawing =>
  (Plot) => ({
    height: 460,
    ...MARGINS,
    x: { ...scoreAxis, domain: axes.score },
    y: { ...mosAxis, domain: axes.mos },
    color: { type: 'identity' },
    marks: [
      // In no order, so that no generator hides the others by being drawn last.
      Plot.dot(shuffled(dots, randomFrom(1)), { ...dotStyle, r: dots.length < 300 ? 3.5 : 2.2 }),
      ...diagonal(Plot, axes),
    ],
  });

/** Prediction against MOS of one generator, small, to stand beside the others of the same axes. */
export const panel =
  (dots: readonly Dot[], axes: Axes): Drawing =>
  (Plot) => ({
    width: 230,
    height: 200,
    margin: 8,
    marginLeft: 36,
    marginBottom: 24,
    x: { domain: axes.score, label: null, ticks: 4, grid: true },
    y: { domain: axes.mos, label: null, ticks: 4, grid: true },
    color: { type: 'identity' },
    marks: [Plot.dot(dots, { ...dotStyle, r: dots.length < 60 ? 2.8 : 1.8 }), ...diagonal(Plot, axes)],
  });

/** Mean MOS and its spread by score, over the band of the prediction intervals. */
export const calibration =
  (bins: readonly ScoreBin[], comparable: boolean): Drawing =>
  (Plot) => {
    const score = padded(bins.map((b) => b.score));
    const mos = padded(bins.flatMap((b) => [...b.mosSpread, ...(comparable ? b.interval : [])]));
    const ends = (key: 'interval' | 'mosSpread') => ({
      x: 'score',
      y1: (b: ScoreBin) => b[key][0],
      y2: (b: ScoreBin) => b[key][1],
    });
    return {
      height: 400,
      ...MARGINS,
      x: { ...scoreAxis, domain: score },
      y: { ...mosAxis, domain: mos },
      marks: [
        comparable ? Plot.areaY(bins, { ...ends('interval'), fill: ACCENT, fillOpacity: 0.16 }) : null,
        ...diagonal(Plot, { score, mos, comparable }),
        Plot.ruleX(bins, { ...ends('mosSpread'), stroke: INK, strokeWidth: 1.5 }),
        Plot.dot(bins, { x: 'score', y: 'mos', r: 5, fill: ACCENT, stroke: PAPER }),
      ],
    };
  };

/** A figure of some of the images, with its 95 % interval. */
export interface Bar {
  name: string;
  value: number;
  ends: [number, number];
  /** The value as text. */
  text: string;
}

/** What the bars are measured against: a dashed line with a label. */
export interface Mark {
  value: number;
  label: string;
}

/** One figure for each of several sets of images, one below the other. */
export const bars =
  (rows: readonly Bar[], mark: Mark, domain: [number, number], label: string): Drawing =>
  (Plot) => ({
    height: 76 + 24 * rows.length,
    marginTop: 28,
    marginLeft: 14 + 7.2 * Math.max(...rows.map((r) => shortName(r.name).length)),
    marginRight: 52,
    marginBottom: 44,
    x: { domain, label, ticks: 5, grid: true },
    y: { domain: rows.map((r) => r.name), label: null, tickFormat: shortName, tickSize: 0 },
    marks: [
      Plot.ruleX([mark.value], GUIDE),
      Plot.text([mark.label], { x: [mark.value], frameAnchor: 'top', dy: -16 }),
      Plot.ruleY(rows, {
        y: 'name',
        x1: (r) => r.ends[0],
        x2: (r) => r.ends[1],
        stroke: MUTED,
        strokeWidth: 2,
      }),
      Plot.dot(rows, { y: 'name', x: 'value', r: 5, fill: ACCENT, stroke: PAPER }),
      Plot.text(rows, { y: 'name', text: 'text', frameAnchor: 'right', textAnchor: 'start', dx: 10 }),
    ],
  });

const LONGEST_NAME = 22;
/** Names of one family begin alike, so it is the middle that can be spared. */
const shortName = (name: string): string =>
  name.length > LONGEST_NAME ? `${name.slice(0, 8)}…${name.slice(9 - LONGEST_NAME)}` : name;

/** MOS of the image kept out of N: by score, blindly, and by the ratings themselves. */
export const bestOf =
  (curve: readonly BestOfN[]): Drawing =>
  (Plot) => ({
    height: 340,
    ...MARGINS,
    marginRight: 96,
    x: { label: 'candidates N', ticks: wholeTicks(curve.length), tickFormat: 'd' },
    y: {
      label: 'mean MOS of the image kept',
      ticks: 6,
      grid: true,
      domain: padded(curve.flatMap((p) => [p.pick, p.random, p.oracle])),
    },
    marks: curvesOf(curve).flatMap(({ label, labelAt, points, color, dash }) => [
      Plot.line(points, { x: 'n', y: 'mos', stroke: color, strokeWidth: 2.2, strokeDasharray: dash }),
      Plot.dot(points, { x: 'n', y: 'mos', fill: color, r: 3 }),
      Plot.text([label], { x: curve.length, y: labelAt, textAnchor: 'start', dx: 9, fill: color }),
    ]),
  });

const wholeTicks = (largest: number): number[] => {
  const step = largest <= 12 ? 1 : 4;
  return Array.from({ length: largest }, (_, i) => i + 1).filter((n) => n % step === 0 || n === 1);
};

/** Least distance of two labels, as a share of the height of the plot. */
const LABEL_GAP = 0.065;

function curvesOf(curve: readonly BestOfN[]) {
  const line = (name: string, key: 'pick' | 'random' | 'oracle', color: string, dash = 'none') => {
    const points = curve.map((p) => ({ n: p.n, mos: p[key] }));
    const labelAt = points.at(-1)!.mos;
    return { label: `${name} ${decimal(labelAt, 2)}`, labelAt, points, color, dash };
  };
  const lines = [
    line('blind', 'random', MUTED),
    line('by score', 'pick', ACCENT),
    line('ideal', 'oracle', INK, '5 4'),
  ];
  lines.sort((a, b) => a.labelAt - b.labelAt);
  const values = lines.flatMap((l) => l.points.map((p) => p.mos));
  const gap = LABEL_GAP * (Math.max(...values) - Math.min(...values));
  for (const [i, l] of lines.entries())
    l.labelAt = Math.max(l.labelAt, (lines[i - 1]?.labelAt ?? -Infinity) + gap);
  return lines;
}
