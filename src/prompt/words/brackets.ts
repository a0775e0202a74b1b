/**
 * The bracket grammar of prompts, in one pass: emphasis `(x:1.2)`, `((x))`, `[x]`, `{x}`, schedules `[a:b:0.5]`,
 * alternatives `[a|b]`, escapes `\(`. Weights go, words stay; of schedules and alternatives the words of all variants.
 */

/** A bracket that is open: its text so far, in the parts that `|` separates. */
interface Frame {
  open: string;
  parts: string[];
}

export interface Unbracketed {
  text: string;
  /** Words that are to be kept away: those with a weight below zero. */
  negative: string[];
  /** A choice that is still open, as it stands there. */
  choice: string | null;
}

const CLOSES: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
const RUN = /[^()[\]{}|\\]+/y;
/** A weight behind its bracket: `(x)1.2`, `(x)++`. */
const SUFFIX = /(?:\d*\.\d+|\++)(?=[\s,)\]]|$)/y;
const NUMBER = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*$/;
const SCHEDULE = /^\s*(?:\d+|\d*\.\d+)%?\s*$/;
/** Ordinary text in square brackets. */
const ASIDE = /^\s*(?:sic|[\d\s.,:;…–-]*)\s*$/i;
/** Brackets inside each other; deeper ones are dropped. */
const MOST_DEEP = 24;
/** Longest choice that is told. */
const MOST_TOLD = 60;

/** @param weighted whether the text uses weights elsewhere, so that plain `(x)` is emphasis, too */
export function unbracket(text: string, weighted: boolean): Unbracketed {
  const stack: Frame[] = [{ open: '', parts: [''] }];
  const out: Unbracketed = { text: '', negative: [], choice: null };
  const emit = (more: string) => {
    const { parts } = stack.at(-1)!;
    parts[parts.length - 1] += more;
  };
  for (let at = 0; at < text.length; ) {
    RUN.lastIndex = at;
    const run = RUN.exec(text)?.[0];
    if (run !== undefined) {
      emit(run);
      at += run.length;
      continue;
    }
    const char = text[at++]!;
    if (char === '\\') emit('()[]{}|\\<>'.includes(text[at] ?? ' ') ? text[at++]! : char);
    else if (char === '|') divide(stack.at(-1)!);
    else if ('([{'.includes(char)) {
      if (stack.length < MOST_DEEP) stack.push({ open: char, parts: [''] });
    } else if (stack.at(-1)!.open === CLOSES[char]) {
      const frame = stack.pop()!;
      emit(closed(frame, weighted, out));
      if (frame.open === '(') at += suffixAt(text, at);
    } else if (stack.length < MOST_DEEP) emit(char);
  }
  while (stack.length > 1) {
    const { open, parts } = stack.pop()!;
    emit((weighted ? '' : open) + parts.join('|'));
  }
  return { ...out, text: stack[0]!.parts.join('|') };
}

const divide = ({ parts }: Frame): void => void parts.push('');

function suffixAt(text: string, at: number): number {
  SUFFIX.lastIndex = at;
  return SUFFIX.exec(text)?.[0].length ?? 0;
}

function closed({ open, parts }: Frame, weighted: boolean, out: Unbracketed): string {
  const text = parts.join('|');
  if (open === '(') return emphasised(text, weighted, out);
  if (open === '[') return parts.length > 1 ? variants(parts) : scheduled(text);
  if (parts.length > 1 || text.includes('$$')) out.choice ??= `{${text.slice(0, MOST_TOLD)}}`;
  return text;
}

function emphasised(text: string, weighted: boolean, out: Unbracketed): string {
  const colon = text.lastIndexOf(':');
  const tail = text.slice(colon + 1);
  // `(16:9)` and `(John 3:16)` are no weights.
  if (colon > 0 && NUMBER.test(tail) && (tail.includes('.') || !/\d/.test(text[colon - 1]!))) {
    const words = text.slice(0, colon);
    if (Number(tail) > 0) return words;
    if (Number(tail) < 0) out.negative.push(words);
    return '';
  }
  return weighted ? text : `(${text})`;
}

const variants = (parts: string[]): string => parts.filter((part) => part.trim() !== '').join(', ');

function scheduled(text: string): string {
  if (ASIDE.test(text.slice(0, MOST_TOLD)) && text.length < MOST_TOLD) return `[${text}]`;
  const colon = text.lastIndexOf(':');
  if (colon < 0 || !SCHEDULE.test(text.slice(colon + 1))) return text;
  return variants(text.slice(0, colon).split(':'));
}
