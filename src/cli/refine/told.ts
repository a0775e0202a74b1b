/** What `assay refine` prints: a line a trial or round, for people or machines, and the verdict. */
import { styleText } from 'node:util';
import type { AssayError } from '../../errors/error.ts';
import type { HostEvent } from '../../host.ts';
import { counted } from '../../lib/words.ts';
import type { Intake } from '../../loops/refine/intake.ts';
import { FRESH, type Refinement } from '../../loops/refine/refinement.ts';
import type { Verdict } from '../../loops/refine/types.ts';
import { imagesOf } from '../../loops/study/pick.ts';
import type { Outcome, Trial } from '../../loops/study/types.ts';
import type { ProposalCost, Proposer } from '../../types/proposer.ts';
import { shorten } from '../terminal/table.ts';
import { printable } from '../terminal/verdicts.ts';

export type RefineFormat = 'text' | 'jsonl';

const EVERY_MS = 100;
const CLEAR_LINE = '\r\x1b[2K';
const PROMPT_WIDTH = 70;

export interface Told {
  onTold(trial: Trial, outcome: Outcome): void;
  onProposed(round: number, intake: Intake, notes: readonly string[]): void;
  onEvent(trial: Trial, event: HostEvent): void;
  onTrouble(error: AssayError): void;
  /** @param verdict null: it was stopped */
  end(verdict: Verdict | null, report: string): void;
  stop(): void;
}

/** `4 requests, 2310 tokens, 12.3 s` */
const costText = ({ requests, tokens, isEstimated, elapsedMs }: ProposalCost): string =>
  `${counted(requests, 'request')}, ${isEstimated ? 'about ' : ''}${counted(tokens, 'token')}, ${(elapsedMs / 1000).toFixed(1)} s`;

/** Tells how a refinement goes, on the standard output; where it stands, on a terminal's standard error. */
export function createTold(refinement: Refinement, proposer: Proposer, format: RefineFormat): Told {
  const { stdout, stderr } = process;
  const { spec } = refinement;
  const isLive = stderr.isTTY === true;
  const isText = format === 'text';
  let shownAt = Number.NEGATIVE_INFINITY;
  let lastTrouble = '';
  let isConfirming = false;
  const clear = (): void => void (isLive && stderr.write(CLEAR_LINE));
  const print = (line: string | object): void => {
    clear();
    stdout.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
  };
  const prompted = (prompt: string): string => shorten(printable(prompt), PROMPT_WIDTH);

  function toldText({ id, seed }: Trial, outcome: Outcome): string {
    if ('failed' in outcome)
      return `${id.padEnd(9)}  ${styleText('red', 'failed', { stream: stdout })}  ${printable(outcome.failed.message)}`;
    const values = imagesOf(outcome).map(({ values }) => values[spec.by]?.toFixed(3) ?? 'no score');
    return `${id.padEnd(9)}  ${spec.by} ${values.join(' | ')}  seed ${seed}`;
  }

  function proposedText(round: number, { taken, refused }: Intake): string {
    const first = refinement.variants.length - taken.length;
    const cost = proposer.cost();
    return [
      `round ${round}: ${counted(taken.length, 'variant')}${cost ? ` (${costText(cost)} so far)` : ''}`,
      ...taken.map((prompt, i) => `  v${first + i}  ${prompted(prompt)}`),
      ...refused.map(({ prompt, reason }) => `  not tried: ${reason}: ${prompted(prompt)}`),
    ].join('\n');
  }

  return {
    onTold(trial, outcome) {
      lastTrouble = ''; // it is over; another time it is told anew
      if (isText && trial.stage.name === FRESH.name && !isConfirming)
        print(`the best one against the original on ${counted(spec.confirm, 'fresh seed')}`);
      isConfirming ||= trial.stage.name === FRESH.name;
      print(isText ? toldText(trial, outcome) : { trial, outcome });
    },
    onProposed(round, intake, notes) {
      clear();
      for (const note of notes) stderr.write(`assay: ${printable(note)}\n`);
      print(isText ? proposedText(round, intake) : { round, ...intake, notes, cost: proposer.cost() });
    },
    onEvent(trial, event) {
      const now = performance.now();
      if (!isLive || now - shownAt < EVERY_MS) return;
      shownAt = now;
      const step = event.kind === 'progress' ? ` step ${event.value}/${event.max}` : '';
      stderr.write(`${CLEAR_LINE}${refinement.spent()}/${spec.images} images at most · ${trial.id}${step}`);
    },
    onTrouble(error) {
      // Every trial in work finds a host that is away, each in words of its own.
      const trouble = error.code.startsWith('HOST_') ? error.code : error.message;
      if (trouble === lastTrouble) return;
      lastTrouble = trouble;
      clear();
      stderr.write(`assay: ${error.message}; trying again [${error.code}]\n`);
    },
    end(verdict, report) {
      const cost = proposer.cost();
      const images = refinement.spent();
      if (!isText) return print({ verdict, images, cost, report });
      const words = verdict ? `${verdict.words}: ${verdict.reason}` : 'stopped; --resume goes on';
      print(`\n${printable(words)}`);
      print(`${counted(images, 'image')}${cost ? `; ${proposer.name}: ${costText(cost)}` : ''}`);
      if (verdict?.kind === 'better') print(`prompt: ${printable(verdict.prompt)}`);
      print(`report: ${report}`);
    },
    stop: clear,
  };
}
