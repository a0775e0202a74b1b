/** What `assay best` prints: a line a trial, for people or machines, and how far it is. */
import { styleText } from 'node:util';
import type { AssayError } from '../../errors/error.ts';
import type { HostEvent } from '../../host.ts';
import { counted } from '../../lib/words.ts';
import { regretOf, regretWords } from '../../loops/previews/regret.ts';
import { imagesOf } from '../../loops/study/pick.ts';
import type { Study } from '../../loops/study/study.ts';
import type { Outcome, Scored, Trial } from '../../loops/study/types.ts';
import type { Found, Search } from '../../search.ts';
import { shorten } from '../terminal/table.ts';
import { printable } from '../terminal/verdicts.ts';

export type BestFormat = 'text' | 'jsonl';

/** Not more often than a terminal is looked at. */
const EVERY_MS = 100;
const CLEAR_LINE = '\r\x1b[2K';
const VALUE_WIDTH = 40;

export interface Told {
  told(trial: Trial, outcome: Outcome): void;
  event(trial: Trial, event: HostEvent): void;
  trouble(error: AssayError): void;
  note(text: string): void;
  end(found: Found): void;
  stop(): void;
}

function timeText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}

const variedText = ({ seed, parameters, stage }: Trial): string =>
  [
    `seed ${seed}`,
    ...Object.entries(parameters).map(
      ([name, value]) => `${name}=${shorten(printable(`${value}`), VALUE_WIDTH)}`,
    ),
    ...(stage.effort < 1 ? [stage.name] : []),
  ].join('  ');

/** The values of an image, or why it has none, or cannot win with them. */
function scoreText({ values, rejected, reasons = [] }: Scored): string {
  const measured = Object.entries(values)
    .filter(([, value]) => value !== null)
    .map(([measure, value]) => `${measure} ${value!.toFixed(2)}`);
  const why = reasons.length > 0 ? `: ${printable(reasons.join('; '))}` : '';
  if (measured.length === 0) return `no score${why}`;
  return [...measured, ...(rejected ? [`rejected${why}`] : [])].join('  ');
}

/** `12/60 images · best 0.71 (t7) · 3m 2s left` */
function progressText({ study, elapsedMs }: Search, running: string): string {
  const { spec } = study;
  const [made, now] = [study.made(), elapsedMs()];
  const [best] = study.ranking();
  const byWork = made === 0 ? undefined : (now / made) * (spec.images - made);
  const byTime = spec.minutes === undefined ? undefined : spec.minutes * 60_000 - now;
  const left = [byWork, byTime].filter((ms) => ms !== undefined);
  return [
    `${Number(made.toFixed(1))}/${spec.images} images`,
    best ? `best ${best.value.toFixed(2)} (${best.trial.id})` : 'no score yet',
    running,
    left.length > 0 ? `at most ${timeText(Math.max(0, Math.min(...left)))} left` : '',
  ]
    .filter((part) => part !== '')
    .join(' · ');
}

export interface Tally {
  /** Images that were to be kept. */
  keep: number;
  /** Whole images and drafts that the policy rejected. */
  rejected: number;
  /** Trials. */
  failed: number;
  /** Trials that were stopped early. */
  pruned: number;
}

export function tallyOf({ spec, trials }: Study): Tally {
  const outcomes = trials.flatMap(({ outcome }) => (outcome ? [outcome] : []));
  return {
    keep: spec.keep,
    rejected: outcomes.flatMap((outcome) => imagesOf(outcome)).filter(({ rejected }) => rejected).length,
    failed: outcomes.filter((outcome) => 'failed' in outcome).length,
    pruned: outcomes.filter((outcome) => 'pruned' in outcome).length,
  };
}

/** `2 of 4 images kept, 3 rejected, 1 trial failed`. */
const tallyText = (found: number, { keep, rejected, failed, pruned }: Tally): string =>
  [
    `${found} of ${counted(keep, 'image')} kept`,
    ...(pruned > 0 ? [`${counted(pruned, 'trial')} stopped early`] : []),
    ...(rejected > 0 ? [`${rejected} rejected`] : []),
    ...(failed > 0 ? [`${counted(failed, 'trial')} failed`] : []),
  ].join(', ');

/** What there is at the end, for machines. */
function foundLine(study: Study, { done, winners, report, notes }: Found): string {
  const regret = regretOf(study.trials, study.spec);
  return JSON.stringify({
    done,
    winners: winners.map(({ candidate: { trial, value }, path }) => ({ trial: trial.id, value, path })),
    ...tallyOf(study),
    ...(regret && { early: regret }),
    ...{ report, notes },
  });
}

/** The same for people. */
function foundText(study: Study, { done, winners, report }: Found): string {
  const regret = regretOf(study.trials, study.spec);
  const isEarly = regret !== null && regret.pruned + regret.checked > 0;
  const why = done ? `because ${done.words}` : 'on demand, and can go on with --resume';
  return [
    `\nended ${why}: ${tallyText(winners.length, tallyOf(study))}`,
    ...winners.map(
      ({ candidate: { value, trial }, path }) => `${path}  ${value.toFixed(3)}  ${variedText(trial)}`,
    ),
    ...(isEarly ? regretWords(regret, study.spec.pick.join(', ')) : []),
    `report: ${report}`,
  ].join('\n');
}

/** Tells how a study goes, on the standard output; where it stands, on a terminal's standard error. */
export function createTold(search: Search, format: BestFormat): Told {
  const { stdout, stderr } = process;
  const { study } = search;
  const isLive = stderr.isTTY === true;
  let shownAt = Number.NEGATIVE_INFINITY;
  let running = '';
  let lastTrouble = '';
  const show = (): void => {
    const now = performance.now();
    if (!isLive || now - shownAt < EVERY_MS) return;
    shownAt = now;
    stderr.write(CLEAR_LINE + progressText(search, running));
  };
  const print = (line: string): void => {
    if (isLive) stderr.write(CLEAR_LINE);
    stdout.write(`${line}\n`);
    shownAt = Number.NEGATIVE_INFINITY;
    show();
  };

  function toldText(trial: Trial, outcome: Outcome): string {
    const id = trial.id.padEnd(5);
    if ('failed' in outcome)
      return `${id}  ${styleText('red', 'failed', { stream: stdout })}  ${printable(outcome.failed.message)}  ${variedText(trial)}`;
    if ('pruned' in outcome) {
      const { step, of, values } = outcome.pruned.preview;
      return `${id}  ${styleText('yellow', 'stopped', { stream: stdout })} at step ${step}/${of}  preview: ${scoreText({ image: '', values })}  ${variedText(trial)}`;
    }
    const [best] = study.ranking();
    const isBest = best?.trial.id === trial.id;
    const scores = imagesOf(outcome).map(scoreText);
    const best_ = isBest ? `  ${styleText('green', 'best so far', { stream: stdout })}` : '';
    return `${id}  ${scores.join(' | ') || 'no image'}${best_}  ${variedText(trial)}`;
  }

  return {
    told(trial, outcome) {
      lastTrouble = ''; // it is over; another time it is told anew
      print(format === 'jsonl' ? JSON.stringify({ trial, outcome }) : toldText(trial, outcome));
    },
    event(trial, event) {
      if (event.kind === 'progress') running = `${trial.id} step ${event.value}/${event.max}`;
      show();
    },
    trouble(error) {
      // Every trial in work finds a host that is away, each in words of its own.
      const trouble = error.code.startsWith('HOST_') ? error.code : error.message;
      if (trouble === lastTrouble) return;
      lastTrouble = trouble;
      stderr.write(`${isLive ? CLEAR_LINE : ''}assay: ${error.message}; trying again [${error.code}]\n`);
    },
    note: (text) => void stderr.write(`${isLive ? CLEAR_LINE : ''}assay: ${printable(text)}\n`),
    end(found) {
      if (isLive) stderr.write(CLEAR_LINE);
      if (format === 'text') for (const note of found.notes) stderr.write(`assay: ${printable(note)}\n`);
      stdout.write(`${format === 'jsonl' ? foundLine(study, found) : foundText(study, found)}\n`);
    },
    stop: () => void (isLive && stderr.write(CLEAR_LINE)),
  };
}
