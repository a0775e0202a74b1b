/** Rows of what stands in prompts and is no word: each a pattern, and what is left of it. All take linear time. */

/** Comments, from a mark to another; one that never ends is text. */
function without(text: string, open: string, close: string): string {
  const kept: string[] = [];
  let at = 0;
  for (;;) {
    const start = text.indexOf(open, at);
    const end = start < 0 ? -1 : text.indexOf(close, start + open.length);
    if (end < 0) break;
    kept.push(text.slice(at, start), ' ');
    at = end + close.length;
  }
  return kept.join('') + text.slice(at);
}

export const withoutComments = (text: string): string =>
  without(text, '/*', '*/')
    .replace(/(^|\s)\/\/[^\n]*/g, '$1')
    .replace(/^[^\S\n]*#(?:[ #][^\n]*)?$/gm, '');

const NETWORKS =
  'lora|lyco|hypernet|hypernetwork|locon|loha|dora|embedding|embed|ti|lbw|model|vae|preset|trigger';
const SECTIONS =
  'base|refiner|video|extend|region|object|clear|comment|setvar|setmacro|var|macro|param|break';
/** In angle brackets with a colon: names of networks, and sections of other front ends. */
const NETWORK = new RegExp(`<(?:${NETWORKS}|${SECTIONS})(?:\\[[^<>\\]]*\\])?:[^<>]*>`, 'gi');
const SECTION = /<(?:break|trigger|base|refiner|video)>/gi;
const TAG = /<\w+:[^<>]*>/g;
/** Any other tag, with a number in it: `<style:0.8>`. */
const withoutNumber = (tag: string): string => (/\d/.test(tag) ? ' ' : tag);
/** What follows it is drawn in a part of the picture alone. */
const SEGMENT = /<segment[:[][^<>]*>[^<]*/gi;
const EMBEDDING = /\b(?:embedding|embed):(?=\S)[^\s,()<>[\]{}|]+/gi;
/** Calls of scheduling nodes. */
const CALL = /\b(?:MASK|IMASK|AREA|FEATHER|STYLE|SDXL|MASK_SIZE|MASKW|FILL|NOISE|TE_WEIGHT|ATTN)\([^()]*\)/g;

export const withoutTags = (text: string): string =>
  [SEGMENT, NETWORK, SECTION, EMBEDDING, CALL]
    .reduce((left, tag) => left.replace(tag, ' '), text)
    .replace(TAG, withoutNumber);

/** Names that something else is put in the place of when the image is made. */
const UNFILLED = [
  /<(?:random|wildcard|wc|alternate|alt|fromto)(?:\[[^<>\]]*\])?:[^<>]*>/i,
  /(?<![\w_])__[\p{L}\p{N}*~@./-](?:[\p{L}\p{N}*~@./\\: -]|_(?!_))*__(?!\w)/u,
  /\$\{[^{}]*\}/,
];

/** The first wildcard or variable that is not filled in; null when there is none. */
export function unfilledIn(text: string): string | null {
  for (const pattern of UNFILLED) {
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) return found.slice(0, 60);
  }
  return null;
}

/** Tags of rating sites, which tell nothing of what is to be seen. Only where they stand between commas. */
const RATING =
  /^(?:masterpiece|(?:best|amazing|great|good|high|highest|top|normal|incredible) quality|high-?res|absurd-?res|very aesthetic|newest|(?:score_\d(?:_up|_down)?)|(?:rating|source)_\w+)$/i;

export const withoutRatings = (text: string): string =>
  text
    .split(/([,，\n])/)
    .map((part) => (part.length < 40 && RATING.test(part.trim()) ? '' : part))
    .join('');
