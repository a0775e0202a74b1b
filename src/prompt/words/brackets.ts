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

const OPENS = new Set('([{');
const CLOSES: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
const RUN = /[^()[\]{}|\\]+/y;
/** A weight behind its bracket: `(x)1.2`, `(x)++`. */
const SUFFIX = /(?:\d*\.\d+|\++|-+)(?=[\s,)\]]|$)/y;
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
  const out: Unbracketed = { text: '', negative: [], choice: null };
  const stack: Frame[] = [{ open: '', parts: [''] }];
  for (let at = 0; at < text.length; ) at += read(text, at, stack, weighted, out);
  while (stack.length > 1) {
    const { open, parts } = stack.pop()!;
    emit(stack, (weighted ? '' : open) + parts.join('|'));
  }
  return { ...out, text: stack[0]!.parts.join('|') };
}

function emit(stack: Frame[], text: string): void {
  const { parts } = stack.at(-1)!;
  parts[parts.length - 1] += text;
}

/** Reads what stands at a place; returns how long it is. */
function read(text: string, at: number, stack: Frame[], weighted: boolean, out: Unbracketed): number {
  const run = lengthOf(RUN, text, at);
  if (run > 0) {
    emit(stack, text.slice(at, at + run));
    return run;
  }
  const char = text[at]!;
  if (char === '\\') return escaped(text, at, stack);
  if (char === '|') stack.at(-1)!.parts.push('');
  else if (OPENS.has(char)) open(char, stack);
  else if (stack.at(-1)!.open === CLOSES[char]) return close(text, at, stack, weighted, out);
  else if (stack.length < MOST_DEEP) emit(stack, char);
  return 1;
}

function lengthOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

function escaped(text: string, at: number, stack: Frame[]): number {
  const next = text[at + 1];
  const isEscape = next !== undefined && '()[]{}|\\<>'.includes(next);
  emit(stack, isEscape ? next : '\\');
  return isEscape ? 2 : 1;
}

function open(char: string, stack: Frame[]): void {
  if (stack.length < MOST_DEEP) stack.push({ open: char, parts: [''] });
}

function close(text: string, at: number, stack: Frame[], weighted: boolean, out: Unbracketed): number {
  const frame = stack.pop()!;
  const suffix = frame.open === '(' ? lengthOf(SUFFIX, text, at + 1) : 0;
  emit(stack, closed(frame, weighted || suffix > 0, out));
  return 1 + suffix;
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
