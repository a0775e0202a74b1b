/** Columns and notes that results of now and scores kept in files have in common. */
import { ASPECTS, type Aspect, type AspectScore } from '../../types/aspect.ts';
import type { Decision } from '../../types/policy.ts';
import type { ItemError } from '../../types/result.ts';
import type { Column } from './table.ts';

/** A row: what is known of one image. All null: it carries no score. */
export interface Verdict {
  name: string;
  aspects: { [A in Aspect]?: AspectScore | null | undefined } | null;
  reward: number | null;
  decision: Decision | null;
  guards: { guard: string }[];
  reasons: string[];
  /** What was cut, guessed, skipped or not applied. */
  notes?: string[];
  sha256: string | null;
  scorer: { id: string; version: string; variant: string; weights: string } | null;
  error: ItemError | null;
}

/** What steers a terminal, and what turns the direction of the text after it. */
const STEERS = /\p{Cc}|\p{Bidi_Control}/gu;

/** Names and reasons come from elsewhere: nothing in them may steer the terminal or break a line. */
export const printable = (text: string): string => text.replace(STEERS, '\ufffd');

/** The same for texts of several lines, which they stay. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');

const score = (aspect: Aspect) => (v: Verdict) => v.aspects?.[aspect]?.score.toFixed(2) ?? '';
const percentile = (v: Verdict): string => {
  const found = v.aspects?.quality?.percentile;
  return found == null ? '' : `${Math.round(found * 100)} %`;
};
const interval = (v: Verdict): string =>
  v.aspects?.quality?.interval?.map((value) => value.toFixed(1)).join(' – ') ?? '';

const verdict = (v: Verdict): string => (v.error ? 'failed' : (v.decision ?? 'no score'));
const STYLE = { accept: 'green', reject: 'red', unsure: 'yellow', failed: 'red' } as const;

export const COLUMNS: Column<Verdict>[] = [
  { title: 'image', value: (v) => printable(v.name), flexible: true },
  { title: 'quality', value: score('quality'), align: 'right' },
  { title: 'percentile', value: percentile, align: 'right' },
  { title: 'interval', value: interval, align: 'right' },
  { title: 'alignment', value: score('alignment'), align: 'right' },
  { title: 'authenticity', value: score('authenticity'), align: 'right' },
  { title: 'reward', value: (v) => v.reward?.toFixed(2) ?? (v.aspects ? '–' : ''), align: 'right' },
  { title: 'verdict', value: verdict, style: (v) => STYLE[verdict(v) as keyof typeof STYLE] },
];

/** Why images were not accepted, and what else is to be said, a line each: it is too long for a column. */
export const notes = (verdicts: Verdict[]): string =>
  verdicts
    .map((v) => ({ name: v.name, why: [v.error?.message ?? v.reasons, v.notes ?? []].flat(2).join('; ') }))
    .filter(({ why }) => why !== '')
    .map(({ name, why }, i) => `${i === 0 ? '\n' : ''}${printable(name)}: ${printable(why)}\n`)
    .join('');

/** What the numbers mean, under the table; empty when there are none. */
export function meaning(verdicts: Verdict[]): string {
  const scored = verdicts.find((v) => v.aspects);
  if (!scored) return '';
  const aspect = ASPECTS.map((a) => scored.aspects?.[a]).find((a) => a);
  const range = aspect ? `, ${aspect.range.join(' to ')}, higher is better` : '';
  const coverage =
    aspect?.coverage == null ? '' : `interval: ${Math.round(aspect.coverage * 100)} % prediction interval; `;
  return `\nscores: mean opinion score as people would rate${range}\n${coverage}reward: 0 to 1\n`;
}

/** CSV columns of what was found; each aspect's are empty where it was not predicted. */
export const flatScores = (v: Verdict) => ({
  name: v.name,
  ...Object.fromEntries(
    ASPECTS.flatMap((a) => {
      const found = v.aspects?.[a];
      return [
        [a, found?.score ?? ''],
        [`${a}_percentile`, found?.percentile ?? ''],
        [`${a}_low`, found?.interval?.[0] ?? ''],
        [`${a}_high`, found?.interval?.[1] ?? ''],
      ];
    }),
  ),
  reward: v.reward ?? '',
  decision: v.decision ?? '',
  guards: v.guards.map((g) => g.guard).join(' '),
  reasons: v.reasons.join('; '),
});

/** CSV columns of where it came from, and of what went wrong. */
export const flatOrigin = (v: Verdict) => ({
  sha256: v.sha256 ?? '',
  scorer: v.scorer ? `${v.scorer.id}@${v.scorer.version}` : '',
  weights: v.scorer?.weights ?? '',
  error: v.error?.code ?? '',
  message: v.error?.message ?? '',
});
