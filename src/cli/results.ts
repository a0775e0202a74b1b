/** Results for people (table) and machines (json, jsonl, csv). */
import { stringify } from 'csv-stringify/sync';
import { ASPECTS, type Aspect, type ScoreResult } from '../types.ts';
import { type Column, table } from './table.ts';

export type Format = 'table' | 'json' | 'jsonl' | 'csv';

export interface Printer {
  add(result: ScoreResult): void;
  end(): void;
}

const score = (aspect: Aspect) => (r: ScoreResult) => r.aspects?.[aspect]?.score.toFixed(2) ?? '';
const percentile = (r: ScoreResult): string => {
  const found = r.aspects?.quality?.percentile;
  return found === undefined ? '' : `${Math.round(found * 100)} %`;
};
const interval = (r: ScoreResult): string =>
  r.aspects?.quality?.interval.map((v) => v.toFixed(1)).join(' – ') ?? '';

const verdict = (r: ScoreResult): string => (r.error ? 'failed' : (r.decision ?? ''));
const VERDICT_STYLE = { accept: 'green', reject: 'red', unsure: 'yellow', failed: 'red' } as const;

const nameOf = (r: ScoreResult): string => r.source ?? r.id;

/** Why images were not accepted, a line each: reasons are too long for a column. */
const notes = (results: ScoreResult[]): string =>
  results
    .map((r) => ({ name: nameOf(r), why: r.error?.message ?? r.reasons.join('; ') }))
    .filter(({ why }) => why !== '')
    .map(({ name, why }, i) => `${i === 0 ? '\n' : ''}${name}: ${why}\n`)
    .join('');

const COLUMNS: Column<ScoreResult>[] = [
  { title: 'image', value: nameOf, flexible: true },
  { title: 'quality', value: score('quality'), align: 'right' },
  { title: 'percentile', value: percentile, align: 'right' },
  { title: 'interval', value: interval, align: 'right' },
  { title: 'alignment', value: score('alignment'), align: 'right' },
  { title: 'authenticity', value: score('authenticity'), align: 'right' },
  { title: 'reward', value: (r) => r.reward?.toFixed(2) ?? (r.error ? '' : '–'), align: 'right' },
  { title: 'verdict', value: verdict, style: (r) => VERDICT_STYLE[verdict(r) as keyof typeof VERDICT_STYLE] },
];

/** What the numbers mean, under the table. */
function legend(results: ScoreResult[]): string {
  const scored = results.find((r) => r.aspects);
  if (!scored?.scorer) return '';
  const aspect = ASPECTS.map((a) => scored.aspects?.[a]).find((a) => a);
  const { id, version, variant } = scored.scorer;
  const range = aspect ? `, ${aspect.range.join(' to ')}, higher is better` : '';
  const coverage = aspect ? `interval: ${Math.round(aspect.coverage * 100)} % prediction interval; ` : '';
  return [
    `\nscores: mean opinion score as people would rate${range}`,
    `${coverage}reward: 0 to 1`,
    `scorer: ${id} ${version} (${variant})\n`,
  ].join('\n');
}

const flat = (r: ScoreResult) => ({
  name: nameOf(r),
  ...Object.fromEntries(
    ASPECTS.flatMap((a) => {
      const found = r.aspects?.[a];
      return [
        [a, found?.score ?? ''],
        [`${a}_percentile`, found?.percentile ?? ''],
        [`${a}_low`, found?.interval[0] ?? ''],
        [`${a}_high`, found?.interval[1] ?? ''],
      ];
    }),
  ),
  reward: r.reward ?? '',
  decision: r.decision ?? '',
  guards: r.guards.map((g) => g.guard).join(' '),
  reasons: r.reasons.join('; '),
  width: r.width ?? '',
  height: r.height ?? '',
  sha256: r.sha256 ?? '',
  scorer: r.scorer ? `${r.scorer.id}@${r.scorer.version}` : '',
  weights: r.scorer?.weights ?? '',
  error: r.error?.code ?? '',
  message: r.error?.message ?? '',
});

/** Prints results as they come where the format allows it, else at the end. */
export function formatter(format: Format, out: NodeJS.WriteStream): Printer {
  const kept: ScoreResult[] = [];
  switch (format) {
    case 'jsonl':
      return { add: (r) => out.write(`${JSON.stringify(r)}\n`), end() {} };
    case 'csv': {
      let header = true;
      const add = (r: ScoreResult) => {
        out.write(stringify([flat(r)], { header }));
        header = false;
      };
      return { add, end() {} };
    }
    case 'json':
      return {
        add: (r) => kept.push(r),
        end: () => out.write(`${JSON.stringify({ results: kept }, null, 2)}\n`),
      };
    case 'table':
      return {
        add: (r) => kept.push(r),
        end: () => out.write(table(kept, COLUMNS, out) + notes(kept) + legend(kept)),
      };
  }
}
