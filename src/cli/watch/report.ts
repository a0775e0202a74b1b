/** What `assay watch` prints: a line an image, for people or machines, and what went wrong. */
import { styleText } from 'node:util';
import type { AssayError } from '../../errors/error.ts';
import type { HostWarnings, OutputRow } from '../../host.ts';
import { counted } from '../../lib/words.ts';
import { nameOf } from '../../loops/watch/jobs.ts';
import type { WatchedImage } from '../../loops/watch/ports.ts';
import { Told } from '../../loops/watch/told.ts';
import { shorten } from '../terminal/table.ts';
import { printable } from '../terminal/verdicts.ts';

export type WatchFormat = 'text' | 'jsonl';

export interface Report {
  image(image: WatchedImage): void;
  /** A file that was scored before; this report counts those of earlier watches. */
  known(output: OutputRow): void;
  /** A file that is not judged. */
  left(name: string, reason: string): void;
  trouble(error: AssayError): void;
  /** Warnings of the host that came since the last time. */
  warnings(now: Readonly<HostWarnings>): void;
  /** Images scored and failed so far. */
  readonly counts: { scored: number; failed: number };
  /** The whole in one line. */
  end(warnings: Readonly<HostWarnings>): void;
}

const STYLE = { accept: 'green', reject: 'red', unsure: 'yellow', failed: 'red' } as const;

/** One image, flat: what `--format jsonl` prints. */
const lineOf = ({ output, result }: WatchedImage) => {
  const quality = result.aspects?.quality;
  const { error, reasons, reward, prompt, promptSource, sha256, width, height } = result;
  return {
    name: nameOf(output),
    type: output.type,
    quality: quality?.score ?? null,
    percentile: quality?.percentile ?? null,
    reward,
    verdict: result.decision ?? ('failed' as const),
    reason: error?.message ?? reasons.join('; '),
    error: error?.code ?? null,
    action: output.action,
    actionState: output.state,
    actionReason: output.reason,
    promptId: output.promptId,
    node: output.node,
    prompt,
    promptSource,
    sha256,
    width,
    height,
  };
};

const DONE = { keep: '', tag: 'tagged', move: 'moved to the reject bin' };

function actionText({ action, state, reason }: WatchedImage['output']): string {
  if (action === 'keep') return '';
  return state === 'done' ? ` · ${DONE[action]}` : ` · not ${DONE[action]}: ${reason ?? 'not yet'}`;
}

/** Cells of a prompt that are shown. */
const PROMPT_WIDTH = 60;

/** The words that were judged and what makes them doubtful, or why there are none where something was found. */
function promptText({ prompt, promptSource, notes }: WatchedImage['result']): string {
  const note = notes.find((text) => text.startsWith('prompt: '));
  if (prompt === null) return note === undefined ? '' : `  no ${printable(note)}`;
  const words = `“${shorten(printable(prompt.replaceAll('\n', ' ')), PROMPT_WIDTH)}”`;
  if (promptSource?.certain ?? true) return `  ${words}`;
  return `  prompt (uncertain): ${words} – ${printable(promptSource?.reason ?? '')}`;
}

function textOf(image: WatchedImage, stream: NodeJS.WriteStream): string {
  const { name, quality, percentile, verdict, reason } = lineOf(image);
  const figures =
    quality === null
      ? ''
      : `  quality ${quality.toFixed(2)}${percentile === null ? '' : `  ${Math.round(percentile * 100)} %`}`;
  const painted = styleText(STYLE[verdict], verdict, { stream });
  const why = reason === '' ? '' : `  ${printable(reason)}`;
  const told = why + printable(actionText(image.output)) + promptText(image.result);
  return `${printable(name)}${figures}  ${painted}${told}\n`;
}

const warningText = ({
  reconnects,
  malformedFrames,
  unknownFrames,
  tooLarge,
}: Readonly<HostWarnings>): string =>
  [
    { n: reconnects, what: 'reconnect' },
    { n: tooLarge, what: 'oversized run' },
    { n: malformedFrames, what: 'unreadable message' },
    { n: unknownFrames, what: 'unknown message' },
  ]
    .filter(({ n }) => n > 0)
    .map(({ n, what }) => counted(n, what))
    .join(', ');

/** @param out where images are told; all else goes to `err` */
export function createReport(
  format: WatchFormat,
  out: NodeJS.WriteStream = process.stdout,
  err: NodeJS.WriteStream = process.stderr,
): Report {
  const counts = { scored: 0, failed: 0 };
  const begun = Date.now();
  /** Rows of those that were scored before. */
  const known = new Set<number>();
  const told = new Told();
  const troubles = new Map<string, number>();
  let lastWarnings = '';

  return {
    counts,
    image(image) {
      const news = told.image(image);
      if (news) out.write(format === 'jsonl' ? `${JSON.stringify(lineOf(image))}\n` : textOf(image, out));
      if (news === 'new') counts[image.result.error ? 'failed' : 'scored']++;
    },
    known({ id, at }) {
      if (at < begun) known.add(id);
    },
    left(name, reason) {
      const named = told.left(reason);
      const more = named === 'last' ? '; more of these are counted at the end' : '';
      if (named !== 'no') err.write(`assay: left alone: ${printable(`${name}: ${reason}`)}${more}\n`);
    },
    trouble(error) {
      troubles.set(error.code, (troubles.get(error.code) ?? 0) + 1);
      if (told.trouble(error.code)) err.write(`assay: ${error.message}\n  ${error.fix} [${error.code}]\n`);
    },
    warnings(now) {
      const text = warningText(now);
      if (text !== '' && text !== lastWarnings) err.write(`assay: the host so far: ${text}\n`);
      lastWarnings = text;
    },
    end(warnings) {
      const parts = [
        `${counted(counts.scored, 'image')} scored, ${counts.failed} failed`,
        known.size > 0 ? `${known.size} were scored before and are not judged again` : '',
        warningText(warnings),
        [...told.leftAlone].map(([reason, n]) => `${n} left alone: ${printable(reason)}`).join(', '),
        [...troubles].map(([code, n]) => `${code} ${counted(n, 'time')}`).join(', '),
      ];
      err.write(`assay: ${parts.filter((part) => part !== '').join('; ')}\n`);
    },
  };
}
