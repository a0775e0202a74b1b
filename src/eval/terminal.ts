/** The summary that `assay eval` prints: plain columns that fit 80. */
import { styleText } from 'node:util';
import { counted } from '../lib/words.ts';
import { decimal, percent, span } from '../page/format.ts';
import { ASPECTS } from '../types/aspect.ts';
import type { FigureIntervals, Figures } from './figures/aspect.ts';
import type { BestOfN } from './figures/best-of-n.ts';
import type { Report } from './summary.ts';

const WIDTH = 80;
/** Column widths: aspect, n, SRCC, its interval, PLCC, KRCC, RMSE, within generator, covered. */
const COLUMNS = [13, 6, 7, 16, 7, 7, 7, 8, 9];
const HEAD = ['aspect', 'n', 'SRCC', '95 % interval', 'PLCC', 'KRCC', 'RMSE', 'within', 'covered'];
const FAILURES_SHOWN = 5;

type Style = Parameters<typeof styleText>[0];

/**
 * Prints the report as a table, with what picking the best of several is worth, failures and notes.
 * Colour follows the terminal and NO_COLOR.
 */
export function printSummary(report: Report, write: (text: string) => void): void {
  const line = (text = '', style?: Style) => write(`${style ? styleText(style, text) : text}\n`);
  line(titleOf(report), 'bold');
  line(countsOf(report));
  line();
  line(row(HEAD), 'bold');
  for (const a of ASPECTS) {
    const figures = report.aspects[a];
    if (figures) line(row([a, ...cells(figures, report.ci[a])]));
  }
  const standIn = report.qualityAsAlignment;
  if (standIn && !report.aspects.alignment) {
    line(row(['alignment *', ...cells(standIn.figures, standIn.ci)]));
    line('* of the quality score: this scorer does not predict alignment', 'dim');
  }
  if (ASPECTS.every((a) => !report.aspects[a])) line('nothing was both rated and scored');
  const gains = ASPECTS.flatMap((a) => gainLine(a, report.bestOf[a]?.prompt ?? null));
  if (gains.length) line();
  for (const text of gains) line(text);
  if (report.failed.length || report.notes.length) line();
  for (const { name, line: at, code } of report.failed.slice(0, FAILURES_SHOWN))
    line(clip(`failed  ${code}  ${name} (line ${at})`), 'red');
  if (report.failed.length > FAILURES_SHOWN)
    line(`        and ${report.failed.length - FAILURES_SHOWN} more, all in report.json`, 'red');
  for (const note of report.notes) for (const part of wrap(note)) line(part, 'yellow');
}

const titleOf = ({ scorer, requested, ratings }: Report): string =>
  clip(
    `${scorer ? `${scorer.id} ${scorer.version} (${scorer.variant})` : (requested ?? 'no scorer')} on ${ratings}`,
  );

function countsOf({ images, timings }: Report): string {
  const left = images.unreached ? `, ${images.unreached} not reached` : '';
  const failed = (images.failed ? `, ${images.failed} failed` : '') + left;
  const speed = timings.imagesPerSecond === null ? '' : `, ${timings.imagesPerSecond.toFixed(1)} images/s`;
  return `${images.scored} of ${counted(images.rated, 'image')} scored${failed}${speed}`;
}

const row = (texts: string[]): string =>
  texts.map((t, i) => (i === 0 ? t.padEnd(COLUMNS[i]!) : t.padStart(COLUMNS[i]!))).join('');

const fixed = (value: number | null): string => decimal(value, 3);

function cells(figures: Figures, ci: FigureIntervals | null): string[] {
  const { n, srcc, plcc, krcc, rmse, withinGenerator, coverage } = figures;
  const correlations = [plcc, krcc, rmse, withinGenerator].map(fixed);
  return [String(n), fixed(srcc), span(ci?.srcc ?? null, 3), ...correlations, percent(coverage, 1)];
}

/** The gain at a number of candidates that people do wait for. */
function gainLine(aspect: string, curve: BestOfN[] | null): string[] {
  const point = curve?.[Math.min(4, curve.length) - 1];
  if (!point || point.gain === null) return [];
  const { n, pick, random, oracle, gain } = point;
  const [kept, blind, ideal] = [pick, random, oracle].map((v) => decimal(v, 2));
  return [
    clip(`best of ${n} by ${aspect}:  MOS ${kept}  blind ${blind}  ideal ${ideal}  gain ${percent(gain)}`),
  ];
}

const clip = (text: string): string => (text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text);

/** Breaks a note at blanks; further lines are indented below its text. */
function wrap(note: string): string[] {
  const lines = ['note'];
  for (const word of note.split(' ')) {
    if (lines.at(-1)!.length + 1 + word.length > WIDTH) lines.push('    ');
    lines[lines.length - 1] += ` ${word}`;
  }
  return lines;
}
