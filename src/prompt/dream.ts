/** The command line that early InvokeAI writes into its images: `"a fox [ugly]" -s 50 -S 1 -W 512`. */
import type { Infotext } from './infotext.ts';

/** From here on there are options: `-s 50`, `-S1234`, `-A k_lms`, `-G 0.8`, `--seamless`. */
const OPTIONS = /\s-(?:[A-Za-z](?:\s*[\d.]|\s+\S)|-[a-z_]+(?:\s|$))/;
const QUOTED = /^\s*"((?:[^"\\]|\\.)*)"\s*(?=-|$)/s;
/** What is to be kept away stands in square brackets. */
const NEGATIVE = /\[([^[\]]*)\]/g;

export function parseDream(text: string): Pick<Infotext, 'prompt' | 'negative'> {
  const words = QUOTED.exec(text)?.[1] ?? text.slice(0, OPTIONS.exec(text)?.index);
  const negative = [...words.matchAll(NEGATIVE)].map(([, inside]) => inside!.trim());
  return { prompt: words.replace(NEGATIVE, ' ').trim(), negative: negative.join(', ') };
}
