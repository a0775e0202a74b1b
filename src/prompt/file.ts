/** The prompt in the texts that an image file carries. */
import { hasMoreValues, parseLenient } from '../lib/python-json.ts';
import type { PromptFound } from '../types/prompt.ts';
import { parseDream } from './dream.ts';
import { isInfotext, parseInfotext } from './infotext.ts';
import { pairIn } from './tools.ts';
import { normalise } from './words/normalise.ts';
import { noPrompt } from './workflow/find.ts';
import { graphIn, promptOfSaved } from './workflow/saved.ts';

/** A text in a file; `place` is for people: `PNG chunk parameters`. */
export interface FileText {
  place: string;
  key: string;
  text: string;
  /** Why the text is not there, though the file has one: a prompt may be in it. */
  unread?: string;
}

interface Item extends FileText {
  /** Undefined when it is none, null when it is too much of it; parsed when it is asked for. */
  readonly json: unknown;
}

/** Characters of a text that is read as words. */
const MOST_WORDS = 100_000;
/** Values of JSON that is parsed; a workflow of two million characters has a third of it. */
const MOST_VALUES = 600_000;

interface Context {
  /** Name of the file, without folders. */
  file: string | null;
  /** Some write it apart from the prompt. */
  negative: string;
}

/** Answers undefined when the text is not for it. */
type Reader = (item: Item, context: Context) => PromptFound | undefined;

/** Hosts put a name and a colon before the JSON they write into EXIF. */
const NAMED = /^(prompt|workflow|parameters) ?: ?(?=[{[])/i;
/** Keys that hold a prompt and nothing else. */
const PROMPTS = /^(?:prompt|positive_prompt|positive prompt|dream)$/i;
const NEGATIVES = /^negative[_ ]prompt$/i;
const INFOTEXTS = /^(?:parameters|UserComment|exif:UserComment|Comment|ImageDescription|XPComment)$/;
const DESCRIPTIONS =
  /^(?:Description|ImageDescription|dc:description|UserComment|exif:UserComment|XPComment|Comment)$/;
/** Remarks of people and programs. Only where one has the form of a prompt of some program is it taken for one. */
const REMARKS = /^(?:Comment|XPComment)$/;
/** What savers write when nobody gave them the prompt. */
const PLACEHOLDER = /^(?:unknown|undefined|null|none|n\/a|prompt|positive)$/i;
/** Cameras and programs describe themselves. */
const SELF =
  /^(?:OLYMPUS|SONY|SAMSUNG|KONICA|MINOLTA|Screenshot|Created with|CREATOR: gd-jpeg|Exif|AI generated|LEAD Tech|Optimized|File source|Lavc)/i;
const JOB = / *Job ID: *[0-9a-f-]{36}\s*$/i;

function itemOf({ place, key, text }: FileText): Item {
  const name = NAMED.exec(text.slice(0, 40));
  const body = name ? text.slice(name[0].length) : text;
  let json: { value: unknown } | undefined;
  return {
    place: name ? `${place} ${name[1]!.toLowerCase()}` : place,
    key,
    text: body.slice(0, MOST_WORDS),
    get json() {
      json ??= { value: jsonOf(body) };
      return json.value;
    },
  };
}

function jsonOf(text: string): unknown {
  if (!/^\s{0,9}[{[]/.test(text)) return undefined;
  if (hasMoreValues(text, MOST_VALUES)) return null;
  try {
    return parseLenient(text);
  } catch {
    return undefined;
  }
}

function worded(item: Item, text: string, negative: string, doubt: string | null = null): PromptFound {
  const { words, negative: aside, reason, isOpen } = normalise(PLACEHOLDER.test(text.trim()) ? '' : text);
  return {
    prompt: words,
    negative: (negative === '' ? null : normalise(negative).words) ?? aside,
    from: words === null ? null : item.place,
    original: words === text || text === '' ? null : text,
    certain: doubt === null && !isOpen,
    reason: reason ?? doubt,
  };
}

const workflow: Reader = ({ json, place }, { file }) => {
  const opened = json ? graphIn(json) : undefined;
  if (!opened) return undefined;
  const found = promptOfSaved(opened.graph, file);
  if (found.prompt !== null) return { ...found, from: `${place}, ${found.from}` };
  const hint = opened.fromEditor ? '; the file holds the workflow only as the editor saves it' : '';
  return { ...found, reason: `${found.reason}${hint}` };
};

const tools: Reader = (item) => {
  const pair = pairIn(item.json);
  return pair && worded(item, pair.prompt, pair.negative);
};

const infotext: Reader = (item) => {
  if (item.json !== undefined || !INFOTEXTS.test(item.key)) return undefined;
  if (item.key !== 'parameters' && !isInfotext(item.text)) return undefined;
  const { prompt, negative } = parseInfotext(item.text);
  return worded(item, prompt, negative);
};

const prompts: Reader = (item, context) => {
  if (item.json !== undefined || !PROMPTS.test(item.key)) return undefined;
  const { prompt, negative } =
    item.key === 'Dream' ? parseDream(item.text) : { prompt: item.text, negative: context.negative };
  return worded(item, prompt, negative);
};

const descriptions: Reader = (item) => {
  if (item.json !== undefined || !DESCRIPTIONS.test(item.key) || SELF.test(item.text.trim()))
    return undefined;
  if (INFOTEXTS.test(item.key) && isInfotext(item.text)) return undefined; // it was read as one
  const isJob = JOB.test(item.text);
  if (REMARKS.test(item.key) && !isJob)
    return noPrompt(`a comment of any kind is not taken for a prompt (${item.place})`);
  const doubt = isJob ? null : 'it stands where a description of any kind may stand';
  return worded(item, item.text.replace(JOB, ''), '', doubt);
};

/** The most telling first. */
const READERS: readonly Reader[] = [workflow, tools, infotext, prompts, descriptions];

/** @param name of the file, for what only it tells */
export function findInTexts(texts: readonly FileText[], name: string | null = null): PromptFound {
  const items = texts.map(itemOf);
  const negative = items.find(({ key }) => NEGATIVES.test(key))?.text ?? '';
  const context = { file: name?.split(/[/\\]/).at(-1) ?? null, negative };
  const without: PromptFound[] = texts.flatMap(({ place, unread }) =>
    unread ? [noPrompt(`${place} ${unread}`)] : [],
  );
  for (const read of READERS)
    for (const item of items) {
      const found = read(item, context);
      if (found?.prompt) return found;
      if (found) without.push(found);
    }
  // Where one place may hold a prompt that was not found, the others do not tell that there is none.
  return without.find(({ certain }) => !certain) ?? without[0] ?? noPrompt(NO_PROMPT, true);
}

export const NO_PROMPT = 'the file carries no prompt';

/** The graph that a file carries. */
export function workflowIn(texts: readonly FileText[]): Record<string, unknown> | undefined {
  const opened = texts.map((text) => graphIn(itemOf(text).json)).filter((found) => found !== undefined);
  return (opened.find(({ fromEditor }) => !fromEditor) ?? opened[0])?.graph;
}
