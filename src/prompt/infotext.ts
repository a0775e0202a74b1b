/**
 * The text that the AUTOMATIC1111 family writes into its images: the prompt, then `Negative prompt:` at the start of a
 * line, then one line of `Key: value` pairs from `Steps:` on. The grammar stands in docs/prompts.md.
 */

export interface Infotext {
  prompt: string;
  negative: string;
  /** In the order of the text. Values in quotes are JSON, and unquoted here. */
  parameters: Map<string, string>;
}

/** Both marks begin a line; text that lost its line breaks has them as they are written, or behind a full stop. */
const NEGATIVE = /(?:^|[\n.,;|]) *[Nn]egative [Pp]rompt:|\sNegative prompt:/;
const STEPS = /(?:^|[\n.,;|\s])Steps: *\d+ *(?:,|$)/;
/** The same where it begins a line: a prompt may speak of steps, so the last one counts. */
const STEPS_LINE = /^Steps: *\d+ *(?:,|$)/gm;
const KEY = /\s*(\p{L}[\p{L}\p{N}_ \-/.]{0,60}): */uy;
const QUOTED = /"(?:[^"\\]|\\.)*"/sy;
const PLAIN = /[^,\n]*/y;
const BETWEEN = /\s*(?:,|\n|$)/y;
/** What is written about a picture that was only enlarged: it has no prompt. */
const EXTRAS = /^\s*Postprocess [\w ]{1,40}: /;
/** A last line with fewer pairs is part of the prompt. */
const FEWEST = 3;
/** Lines that look like parameters, of which one is. */
const MOST_LINES = 8;

/** Pairs from `at` on, up to the first text that is none. */
export function parseParameters(text: string, at = 0): Map<string, string> {
  const found = new Map<string, string>();
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  while (at < text.length) {
    const key = take(KEY);
    if (!key) break;
    const value = (take(QUOTED) ?? take(PLAIN))![0].trim();
    found.set(key[1]!, unquoted(value));
    if (!take(BETWEEN)) break;
  }
  return found;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}

/** Where the parameters begin; the length of the text when it has none. */
function parametersAt(text: string): number {
  if (EXTRAS.test(text)) return 0;
  const lines = [...text.matchAll(STEPS_LINE)].slice(-MOST_LINES);
  const line = lines.findLast(({ index }) => parseParameters(text, index).size >= FEWEST);
  if (line) return line.index;
  const steps = STEPS.exec(text);
  if (steps) return steps.index + (steps[0].startsWith('S') ? 0 : 1);
  const last = text.trimEnd().lastIndexOf('\n') + 1;
  return parseParameters(text, last).size >= FEWEST && last > 0 ? last : text.length;
}

/** Whether a text is more than a prompt. */
export const isInfotext = (text: string): boolean =>
  EXTRAS.test(text) || NEGATIVE.test(text) || hasParameters(text);

const hasParameters = (text: string): boolean => {
  const steps = STEPS.exec(text);
  return steps !== null && parseParameters(text, parametersAt(text)).size >= FEWEST;
};

/** Never fails: a text without any of the marks is all prompt. */
export function parseInfotext(text: string): Infotext {
  const end = parametersAt(text);
  const words = text.slice(0, end);
  const mark = NEGATIVE.exec(words);
  const prompt = mark ? words.slice(0, mark.index) : words;
  // Hosts read each further mark as one more line of the same.
  const [, ...sides] = words.slice(prompt.length).split(NEGATIVE);
  const negative = sides.map((side) => side.trim()).join('\n');
  return { prompt: prompt.trim(), negative, parameters: parseParameters(text, end) };
}
