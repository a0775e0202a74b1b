/** Results for people and machines. */
import type { ScoreResult } from '../../types/result.ts';
import type { Look } from './printer.ts';
import { table } from './table.ts';
import { COLUMNS, flatOrigin, flatScores, meaning, notes, type Verdict } from './verdicts.ts';

const verdictOf = (r: ScoreResult): Verdict => ({ ...r, name: r.source ?? r.id });

function scorerLine(verdicts: Verdict[]): string {
  const scorer = verdicts.find((v) => v.aspects)?.scorer;
  return scorer ? `scorer: ${scorer.id} ${scorer.version} (${scorer.variant})\n` : '';
}

export const RESULTS: Look<ScoreResult> = {
  list: 'results',
  flat(r) {
    const v = verdictOf(r);
    return {
      ...flatScores(v),
      width: r.width ?? '',
      height: r.height ?? '',
      ...flatOrigin(v),
      prompt: r.prompt ?? '',
      prompt_original: r.promptSource?.original ?? '',
      notes: r.notes.join('; '),
    };
  },
  slim: (r) => ({ ...r, sha256: null, prompt: null, promptSource: null, timings: null }),
  text(results, out) {
    const verdicts = results.map(verdictOf);
    return table(verdicts, COLUMNS, out) + notes(verdicts) + meaning(verdicts) + scorerLine(verdicts);
  },
};
