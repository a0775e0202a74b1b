/** Prompts of several parts, each with a weight of its own: `a AND b :0.5`, `a::2 b::-1`, `1.5::a::`. */

export interface Parts {
  text: string;
  /** Parts with a weight below zero. */
  negative: string[];
}

const PART = /(?<=^|[\s,.)\]])(?:AND(?:_[A-Z]+)?|BREAK|ADD(?:COMM|BASE|ROW|COL))(?=$|[\s,.:([])/gu;
const SHOUTED = /^[\s\S]*[\p{Lu}]{2,}\s$/u;
const SHOUTING = /^\s[\p{Lu}]{2,}(?![\p{Ll}])/u;
const WEIGHT = /^\s*(-?(?:\d+\.?\d*|\.\d+))\s*$/;
/** Number, text, and the colons that end it. */
const NUMBERED = /(?<![\d.\p{L}])(-?\d+(?:\.\d+)?)::((?:[^:]|:(?!:))*)::/gu;
const WEIGHTED = /::(-?\d+(?:\.\d+)?)?(?=[\s,]|$)/g;

/** `ROCK AND ROLL` is shouting. */
const isShouting = (text: string, at: number, word: string): boolean =>
  word === 'AND' &&
  SHOUTED.test(text.slice(Math.max(0, at - 12), at)) &&
  SHOUTING.test(text.slice(at + word.length, at + word.length + 12));

function take(part: string, weight: number, out: Parts): string {
  if (weight > 0) return part;
  if (weight < 0) out.negative.push(part);
  return '';
}

/** `a cat :0.7` */
function unweighted(part: string, out: Parts): string {
  const colon = part.lastIndexOf(':');
  const weight = colon < 0 ? null : WEIGHT.exec(part.slice(colon + 1));
  return weight && !/\d/.test(part[colon - 1] ?? '0')
    ? take(part.slice(0, colon), Number(weight[1]), out)
    : part;
}

/** The parts, with commas between them. */
export function joinParts(text: string): Parts {
  const out: Parts = { text: '', negative: [] };
  let made = text;
  if (made.includes('::')) {
    made = made.replace(NUMBERED, (_, weight: string, part: string) => take(part, Number(weight), out));
    made = splitAt(made, WEIGHTED, (part, weight) => take(part, Number(weight ?? 1), out));
  }
  const pieces = splitAt(made, PART, (part) => unweighted(part, out), isShouting);
  return { ...out, text: pieces };
}

function splitAt(
  text: string,
  mark: RegExp,
  each: (part: string, weight?: string) => string,
  spared: (text: string, at: number, word: string) => boolean = () => false,
): string {
  const parts: string[] = [];
  let from = 0;
  for (const match of text.matchAll(mark)) {
    if (spared(text, match.index, match[0])) continue;
    parts.push(each(text.slice(from, match.index), match[1]));
    from = match.index + match[0].length;
  }
  if (from === 0) return text;
  const rest = text.slice(from);
  const last = rest.trim() === '' ? '' : each(rest);
  return [...parts, last]
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join(', ');
}
