/** Nodes that compute texts, as they do it. */
import { createContext, Script } from 'node:vm';
import type { Reader } from './family.ts';
import { notKnown } from './search.ts';

const isTrue = (value: unknown): boolean =>
  value === true || value === 'true' || value === 'yes' || value === 1;

/** Delimiters are typed with their escapes. */
const unescaped = (text: string): string => text.replaceAll('\\n', '\n').replaceAll('\\t', '\t');

/** All texts that fit, those that are empty left out. */
export const join =
  (names: RegExp, delimiter: string, fallback = '') =>
  (read: Reader): string => {
    const given = read.node.inputs[delimiter];
    const glue = typeof given === 'string' ? unescaped(given) : fallback;
    const texts = read.names(names).map((name) => read.text(name));
    return texts.filter((text) => text !== '').join(glue);
  };

/** Texts glued by the delimiter, empty ones, too. */
export const concatenate = (read: Reader): string =>
  [read.text('string_a'), read.text('string_b')].join(String(read.value('delimiter') ?? ''));

export const replace =
  (text: string, find: string, replacement: string) =>
  (read: Reader): string =>
    read.text(find) === ''
      ? read.text(text)
      : read.text(text).replaceAll(read.text(find), () => read.text(replacement));

/** Pairs with numbers, one after the other: `find1` and `replace1`. */
export const replaceEach =
  (text: string, find: string, replacement: string) =>
  (read: Reader): string =>
    read
      .names(new RegExp(`^${find}\\d+$`))
      .map((name) => [read.text(name), read.text(name.replace(find, replacement))] as const)
      .filter(([found]) => found !== '')
      .reduce((made, [found, instead]) => made.replaceAll(found, () => instead), read.text(text));

/** Parts that are appended stand apart: the node leaves it to its user to type the comma. */
export function stringFunction(read: Reader): string {
  const [a, b, c] = ['text_a', 'text_b', 'text_c'].map((name) => read.text(name)) as [string, string, string];
  if (read.value('action') !== 'replace') return [a, b, c].filter((text) => text !== '').join(', ');
  if (b.length > 2 && b.startsWith('/') && b.endsWith('/'))
    return substitute(read, b.slice(1, -1), a, c, '', 0);
  return b === '' ? a : a.replaceAll(b, () => c);
}

/** Python's slice. */
export const substring = (read: Reader): string =>
  [...read.text('string')].slice(Number(read.value('start') ?? 0), Number(read.value('end') ?? 0)).join('');

export function trim(read: Reader): string {
  const text = read.text('string');
  const mode = read.value('mode');
  return mode === 'Left' ? text.trimStart() : mode === 'Right' ? text.trimEnd() : text.trim();
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();

export function changeCase(read: Reader): string {
  const text = read.text('string');
  switch (read.value('mode')) {
    case 'UPPERCASE':
      return text.toUpperCase();
    case 'lowercase':
      return text.toLowerCase();
    case 'Capitalize':
      return capitalised(text);
    default:
      return text.replace(/\p{L}+/gu, capitalised);
  }
}

const inverted = (char: string): string =>
  char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase();

const OPERATIONS: Readonly<Record<string, (text: string) => string>> = {
  uppercase: (text) => text.toUpperCase(),
  lowercase: (text) => text.toLowerCase(),
  capitalize: capitalised,
  invert_case: (text) => [...text].map(inverted).join(''),
  reverse: (text) => [...text].reverse().join(''),
  trim: (text) => text.trim(),
  remove_spaces: (text) => text.replaceAll(' ', ''),
};

export function operate(read: Reader): string {
  const name = String(read.value('operation'));
  if (!Object.hasOwn(OPERATIONS, name)) throw notKnown(read.node, 'what it does to its text is not known');
  return OPERATIONS[name]!(read.text('text'));
}

/** `{}` and `{name}` of Python's format, without its formats. */
export const format =
  (template: string) =>
  (read: Reader): string => {
    let next = 0;
    const names = read.names(/./).filter((name) => name !== template);
    return read.text(template).replace(/\{\{|\}\}|\{(\w*)\}/g, (whole, name?: string) => {
      if (name === undefined) return whole[0]!;
      const source =
        name === '' ? names[next++] : [name, `values.${name}`].find((key) => key in read.node.inputs);
      if (source === undefined) throw notKnown(read.node, `nothing fills ${whole}`);
      return read.text(source);
    });
  };

/** Longest time for one regular expression of a workflow, in milliseconds: some never end. */
const PATTERN_MS = 20;
/** Times that one is tried that was not given half of that. */
const PATTERN_TRIES = 5;
/** Steps that one counts for, and one that was ended: few are run in a graph, and two of the latter. */
const [PATTERN_COST, ENDED_COST] = [400, 4000];
/** Python's own syntax. */
const PYTHON = /\(\?P|\(\?[aiLmsux-]+[:)]|\\[AZ]|\(\?#/;

/** @throws Unknowable when the pattern cannot be run here */
function substitute(
  read: Reader,
  pattern: string,
  text: string,
  by: string,
  flags: string,
  count: number,
): string {
  if (PYTHON.test(pattern)) throw notKnown(read.node, 'its regular expression is for Python alone');
  if (count > 1) throw notKnown(read.node, `it replaces ${count} matches`);
  const replacement = by.replaceAll('$', '$$$$').replace(/\\(?:g<(\d+)>|(\d))/g, (_, a, b) => `$${a ?? b}`);
  const once = count === 1 ? flags : `${flags}g`;
  return timed(read, 'text.replace(new RegExp(pattern, once), replacement)', {
    text,
    pattern,
    once,
    replacement,
  });
}

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
};

/** Ends one that does not end by itself: that is what a context of its own is for. */
function run(code: string, values: Record<string, string>, tries: number): unknown {
  const before = cpuMs();
  try {
    return new Script(code).runInContext(createContext({ ...values }), { timeout: PATTERN_MS });
  } catch (error) {
    const ended = (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    // The clock goes on while other programs have the processor.
    if (!ended || tries === 1 || cpuMs() - before > PATTERN_MS / 2) throw error;
    return run(code, values, tries - 1);
  }
}

function timed(read: Reader, code: string, values: Record<string, string>): string {
  read.spend(PATTERN_COST);
  try {
    return String(run(code, values, PATTERN_TRIES) ?? '');
  } catch {
    read.spend(ENDED_COST);
    throw notKnown(read.node, 'its regular expression cannot be run here');
  }
}

const flagsOf = (read: Reader): string =>
  (['case_insensitive', 'multiline', 'dotall'] as const)
    .filter((name) => isTrue(read.value(name) ?? name === 'case_insensitive'))
    .map((name) => ({ case_insensitive: 'i', multiline: 'm', dotall: 's' })[name])
    .join('');

export const regexReplace = (read: Reader): string =>
  substitute(
    read,
    read.text('regex_pattern'),
    read.text('string'),
    read.text('replace'),
    flagsOf(read),
    Number(read.value('count') ?? 0),
  );

export function regexExtract(read: Reader): string {
  const pattern = read.text('regex_pattern');
  if (PYTHON.test(pattern)) throw notKnown(read.node, 'its regular expression is for Python alone');
  const mode = read.value('mode');
  const group = mode === 'First Group' ? Number(read.value('group_index') ?? 1) : 0;
  if (mode !== 'First Match' && mode !== 'First Group') throw notKnown(read.node, `it lists ${String(mode)}`);
  const values = { pattern, text: read.text('string'), flags: flagsOf(read), group: String(group) };
  return timed(read, '(new RegExp(pattern, flags).exec(text) ?? [])[Number(group)]', values);
}

/** What the node chose stands beside its template once it ran. */
export function populated(read: Reader): string {
  const chosen = read.text('populated_text');
  return chosen.trim() === '' ? read.text('wildcard_text') : chosen;
}

/** A line of many, counted from 0. */
export function selectLine(read: Reader): string {
  const lines = read
    .text('strings')
    .split('\n')
    .filter((line) => line.trim() !== '');
  if (isTrue(read.value('multiline'))) throw notKnown(read.node, 'its lines are parted by marks');
  return lines[Number(read.value('select') ?? 0) % Math.max(1, lines.length)] ?? '';
}

export const withoutLineBreaks =
  (name: string, flag: string) =>
  (read: Reader): string =>
    isTrue(read.value(flag)) ? read.text(name).replaceAll('\n', '') : read.text(name);
